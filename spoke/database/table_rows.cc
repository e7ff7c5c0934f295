#include "spoke/database/table_rows.h"

#include "common/base/subject.h"
#include "spoke/database/incoming_rows.h"
#include "spoke/database/row_text.h"
#include "spoke/database/session.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

// What PostgreSQL says of resources, locks and connections, also when a handler raised it.
bool may_pass(const std::string& state) {
  const std::string kind = state.substr(0, 2);
  return kind == "40" || kind == "53" || kind == "08" || kind == "57" || kind == "58" ||
         state == "55P03" || state == "55006" || state == "25006";
}

std::vector<std::string> first_column(const pqxx::result& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.emplace_back(row[0].c_str());
  return out;
}

}  // namespace

void TableRows::prepare(pqxx::connection& connection) {
  connection.prepare(
      "apply_rows",
      "select oltp20.apply_rows($1, $2::uuid, $3::bigint, $4::text::integer[], "
      "$5::text::uuid[], $6::text::text[], $7::text::date[], $8::text::text[], "
      "$9::text::jsonb[], $10::text::text[], $11::text::timestamptz[], $12::integer)");
  connection.prepare("finish_transaction",
                     "select oltp20.finish_transaction($1, $2::uuid, $3::bigint, $4::boolean)");
}

bool TableRows::read(pqxx::transaction_base& sql) {
  // The version first: what changes meanwhile is noticed by the next comparison.
  const auto version = sql.exec1("select version from oltp20.registry")[0].as<std::int64_t>();
  if (version == version_) return false;
  version_ = version;
  accepted_.clear();
  for (std::string& type : first_column(sql.exec("select type from oltp20.accepted")))
    accepted_.insert(std::move(type));
  patterns_ = first_column(sql.exec("select distinct pattern from oltp20.handler"));
  strict_ = first_column(sql.exec("select origin from oltp20.strict_origin order by origin"));
  return true;
}

bool TableRows::concerns(const IncomingTransaction& transaction) const {
  if (accepted_.empty() && patterns_.empty()) return false;
  for (const IncomingRow& row : transaction.rows)
    if (accepted_.contains(row.row.type) || any_subject_matches(patterns_, row.row.type))
      return true;
  return false;
}

bool TableRows::concerns(const ApplyGroup& group) const {
  for (const IncomingTransaction& transaction : group.transactions)
    if (concerns(transaction)) return true;
  return false;
}

void TableRows::begin(pqxx::transaction_base& sql) const {
  sql.exec0("set local statement_timeout = " + std::to_string(handler_timeout_ / kMillisecond));
}

// Errors here are those of the application's own SQL, whatever their class: a right that a handler
// lacks is no reason to stop everybody. A connection that is lost is nobody's fault.
template <typename Body>
auto TableRows::blame(pqxx::transaction_base& sql, const IncomingTransaction& transaction,
                      Body body) const {
  const Micros begun = system_clock().monotonic_us();
  try {
    return body();
  } catch (const pqxx::failure& error) {
    std::string state = sqlstate_of(error);
    // A handler's own connection, or so it says.
    if (dynamic_cast<const pqxx::broken_connection*>(&error)) state = "08000";
    if (state.empty() || !sql.conn().is_open() || state == "XX001" || state == "XX002") throw;
    const std::string sentence = transaction.origin + "/" + std::to_string(transaction.seq) + ": " +
                                 std::string(error.what());
    if (state == "57014") {
      if (system_clock().monotonic_us() - begun < handler_timeout_) throw;  // we are to stop
      throw Refused{content_error(
          state, "its tables and handlers took longer than [apply] handler_timeout_seconds, " +
                     std::to_string(handler_timeout_ / kSecond) + " s: " + sentence)};
    }
    if (may_pass(state))
      throw Refused{Status(Code::exhausted, "SQLSTATE " + state + ": " + sentence)};
    throw Refused{content_error(state, sentence)};
  }
}

void TableRows::add(pqxx::transaction_base& sql, const IncomingTransaction& transaction,
                    const std::set<RowId>& skip) const {
  RowArrays arrays;
  bool any = false;
  for (const IncomingRow& row : transaction.rows) {
    if (skip.contains(row.row.id)) continue;
    arrays.add(transaction, row);
    any = true;
  }
  if (!any) return;
  const auto& rows = arrays.finish();
  blame(sql, transaction, [&] {
    sql.exec_prepared("apply_rows", transaction.origin, uuid_text(transaction.epoch),
                      transaction.seq, rows[1], rows[2], rows[3], rows[4], rows[5], rows[6],
                      rows[7], rows[8], int{transaction.hops});
  });
}

void TableRows::note_drift(pqxx::transaction_base& sql, std::string_view part) const {
  Result<PartView> view = PartView::parse(part);
  if (!view) return;
  std::set<std::pair<std::string, std::string>> noted;  // type and headers
  for (const RowSlice& slice : view->rows) {
    if (slice.withheld) continue;
    Result<MessageRow> row = parse_row(slice);
    if (!row || !row->payload || !row->headers || !accepted_.contains(row->type)) continue;
    const std::string type(row->type), headers(*row->headers);
    if (!noted.emplace(type, headers).second) continue;
    try {
      pqxx::subtransaction alone(static_cast<pqxx::dbtransaction&>(sql), "drift");
      alone.exec_params(
          "select oltp20.note_drift($1, $2::jsonb ->> 'oltp20.shape', "
          "array(select jsonb_object_keys($3::jsonb)))",
          type, headers, std::string(*row->payload));
      alone.commit();
    } catch (const pqxx::sql_error&) {
      continue;
    }
  }
}

void TableRows::finish(pqxx::transaction_base& sql, const IncomingTransaction& transaction,
                       bool more) const {
  blame(sql, transaction, [&] {
    sql.exec_prepared("finish_transaction", transaction.origin, uuid_text(transaction.epoch),
                      transaction.seq, more);
  });
}

}  // namespace oltp20::spoke
