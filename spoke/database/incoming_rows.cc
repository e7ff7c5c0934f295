#include "spoke/database/incoming_rows.h"

#include <pqxx/tablewriter>

#include "spoke/database/row_text.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

constexpr std::size_t kCopyBytes = 64 * 1024;  // written to the server at once

bool has_nul(const std::optional<std::string_view>& text) {
  return text && text->find('\0') != std::string_view::npos;
}

}  // namespace

Status content_error(const std::string& state, const std::string& sentence) {
  return Status(Code::invalid, "SQLSTATE " + state + ": " + sentence);
}

// libpqxx takes C strings: a NUL would silently cut the text, and PostgreSQL has no NUL in text.
Status check_text(const IncomingTransaction& transaction) {
  for (const IncomingRow& row : transaction.rows)
    if (has_nul(row.row.type) || has_nul(row.row.payload) || has_nul(row.row.headers) ||
        has_nul(row.row.destination))
      return content_error("22021", transaction.origin + "/" + std::to_string(transaction.seq) +
                                        " has a NUL byte in a text");
  return {};
}

void prepare_incoming(pqxx::connection& connection) {
  connection.prepare("known_ids",
                     "select id::text from oltp20.known_ids($1, $2::uuid, $3::bigint, "
                     "$4::text::uuid[]) as id");
}

KnownIds known_ids(pqxx::transaction_base& sql, const Transactions& transactions) {
  std::map<OriginEpoch, std::string> wanted;
  std::map<OriginEpoch, const std::vector<Overlap>*> overlaps;
  KnownIds out;
  for (const IncomingTransaction* transaction : transactions) {
    if (transaction->overlaps.empty()) continue;
    OriginEpoch key{transaction->origin, transaction->epoch};
    overlaps[key] = &transaction->overlaps;
    for (const IncomingRow& row : transaction->rows) {
      std::string& list = wanted[key];
      list += (list.empty() ? "{" : ",") + uuid_text(row.row.id);
    }
  }
  for (const auto& [key, lives] : overlaps)
    for (const Overlap& overlap : *lives) {
      for (const auto& row : sql.exec_prepared("known_ids", key.origin, uuid_text(overlap.epoch),
                                               overlap.after, wanted[key] + "}"))
        out[key].insert(id_of_uuid<RowId>(row[0].c_str()));
      for (const IncomingTransaction* other : transactions)
        if (other->origin == key.origin && other->epoch == overlap.epoch &&
            other->seq > overlap.after)
          for (const IncomingRow& row : other->rows) out[key].insert(row.row.id);
    }
  return out;
}

const std::set<RowId>& known_of(const KnownIds& known, const IncomingTransaction& transaction) {
  static const std::set<RowId> none;
  if (transaction.overlaps.empty()) return none;
  auto at = known.find({transaction.origin, transaction.epoch});
  return at == known.end() ? none : at->second;
}

void copy_rows(pqxx::transaction_base& sql, const Transactions& transactions,
               const KnownIds& known) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // its successor takes no ready lines
  pqxx::tablewriter writer(sql, "message.incoming", kIncomingColumns.begin(),
                           kIncomingColumns.end());
#pragma GCC diagnostic pop
  std::string bytes;
  CopyLines lines(&bytes);
  const auto write = [&] {
    if (bytes.empty()) return;
    bytes.pop_back();  // the last newline is written for us
    writer.write_raw_line(bytes);
    bytes.clear();
  };
  for (const IncomingTransaction* transaction : transactions) {
    const std::set<RowId>& skip = known_of(known, *transaction);
    lines.begin(*transaction);
    for (const IncomingRow& row : transaction->rows) {
      if (skip.contains(row.row.id)) continue;
      lines.add(row);
      if (bytes.size() >= kCopyBytes) write();
    }
  }
  write();
  writer.complete();
}

}  // namespace oltp20::spoke
