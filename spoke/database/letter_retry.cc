#include "spoke/database/letter_retry.h"

#include <optional>

#include "spoke/database/incoming_rows.h"
#include "spoke/database/session.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

struct Letter {
  std::string origin;
  Epoch epoch;
  Seq seq = 0;
  std::string wanted_at;  // a wish that is newer than this one stays
};

std::optional<Letter> next_letter(pqxx::transaction_base& sql) {
  pqxx::result found = sql.exec(
      "select origin, epoch::text, seq, retry_wanted_at::text from oltp20.dead_letter where "
      "retry_wanted_at is not null order by retry_wanted_at limit 1 for update");
  if (found.empty()) return std::nullopt;
  return Letter{found[0][0].c_str(), id_of_uuid<Epoch>(found[0][1].c_str()), found[0][2].as<Seq>(),
                found[0][3].c_str()};
}

// Any other life of the origin may have brought these rows since the letter was put aside.
std::vector<Overlap> other_lives(pqxx::transaction_base& sql, const Letter& letter) {
  std::vector<Overlap> out;
  for (const auto& row :
       sql.exec_params("select epoch::text from oltp20.known_epoch where origin = $1 and "
                       "epoch <> $2::uuid",
                       letter.origin, uuid_text(letter.epoch)))
    out.push_back({id_of_uuid<Epoch>(row[0].c_str()), 0});
  return out;
}

IncomingTransaction rows_of(const PartView& view, const std::vector<Overlap>& overlaps) {
  IncomingTransaction out{view.header.origin, view.header.epoch, view.header.seq, {},
                          overlaps,           view.header.hops};
  for (std::uint32_t i = 0; i < view.rows.size(); ++i) {
    if (view.rows[i].withheld) continue;
    Result<MessageRow> row = parse_row(view.rows[i]);
    if (!row) throw Refused{row.status()};
    out.rows.push_back({view.first_position + i, *row});
  }
  if (Status status = check_text(out); !status) throw Refused{status};
  return out;
}

// Part by part, so that memory stays bounded.
void apply_letter(pqxx::transaction_base& sql, const Letter& letter, TableRows& tables) {
  sql.exec("select oltp20.hold_registry()");
  tables.begin(sql);
  const std::vector<Overlap> overlaps = other_lives(sql, letter);
  IncomingTransaction whole{letter.origin, letter.epoch, letter.seq, {}, {}};
  for (int part = 0;; ++part) {
    pqxx::result found = sql.exec_params(
        "select content from oltp20.dead_letter_part where origin = $1 and epoch = $2::uuid and "
        "seq = $3::bigint and part = $4::integer",
        letter.origin, uuid_text(letter.epoch), letter.seq, part);
    if (found.empty()) break;
    const std::string bytes = bytea_bytes(found[0][0].c_str());
    Result<PartView> view = PartView::parse(bytes);
    if (!view) throw Refused{view.status()};
    const IncomingTransaction rows = rows_of(*view, overlaps);
    tables.add(sql, rows, known_of(known_ids(sql, {&rows}), rows));
  }
  tables.finish(sql, whole, false);
}

// False when nothing is wanted.
bool retry_one(pqxx::connection& connection, TableRows& tables, std::size_t* applied) {
  std::optional<Letter> letter;
  Status why;
  try {
    pqxx::work sql(connection);
    letter = next_letter(sql);
    if (!letter) return false;
    apply_letter(sql, *letter, tables);
    sql.exec0("set local statement_timeout = 0");
    sql.exec_params("select oltp20.letter_applied($1, $2::uuid, $3::bigint)", letter->origin,
                    uuid_text(letter->epoch), letter->seq);
    sql.commit();
    ++*applied;
    return true;
  } catch (const Refused& refused) {
    why = refused.why;
  } catch (const pqxx::failure& error) {
    if (!letter || !connection.is_open()) throw;
    why = current_exception_status("retrying a dead letter");
  }
  const std::string& text = why.message();
  const std::size_t at = text.find("SQLSTATE ");
  pqxx::work sql(connection);
  sql.exec_params0(
      "update oltp20.dead_letter set retry_wanted_at = null, retry_wanted_by = null, "
      "retry_failed_at = clock_timestamp(), sqlstate = $5, error = $6 where origin = $1 and "
      "epoch = $2::uuid and seq = $3::bigint and retry_wanted_at = $4::timestamptz",
      letter->origin, uuid_text(letter->epoch), letter->seq, letter->wanted_at,
      at == std::string::npos ? "" : text.substr(at + 9, 5), text);
  sql.commit();
  return true;
}

}  // namespace

std::size_t retry_letters(pqxx::connection& connection, TableRows& tables) {
  std::size_t applied = 0;
  while (retry_one(connection, tables, &applied)) {
  }
  return applied;
}

}  // namespace oltp20::spoke
