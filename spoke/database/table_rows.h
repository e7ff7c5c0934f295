// Rows for tables of the application, and handlers: a copy of the registry, which says whether a
// transaction concerns either, and the statements that apply one. Internal to this folder: it shows
// libpqxx.
//
// What one transaction's tables, triggers and handlers do is bounded in time and blamed on it
// alone: whatever is wrong with it is thrown as `Refused`. Their SQL runs with the rights of who
// registered it.
#pragma once

#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "spoke/core/inbox.h"

namespace oltp20::spoke {

// What the application's own SQL said: `invalid` for its content, `exhausted` for what may pass.
struct Refused {
  Status why;
};

class TableRows {
 public:
  explicit TableRows(Micros handler_timeout) : handler_timeout_(handler_timeout) {}

  static void prepare(pqxx::connection& connection);
  // Reads the registry; whether another version of it was there.
  bool read(pqxx::transaction_base& sql);
  std::int64_t version() const { return version_; }
  const std::vector<std::string>& strict_origins() const { return strict_; }

  bool concerns(const IncomingTransaction& transaction) const;
  bool concerns(const ApplyGroup& group) const;

  // Once in an SQL transaction, in front of the others.
  void begin(pqxx::transaction_base& sql) const;
  // All rows of a transaction, or of a part of it, without those in `skip`.
  void add(pqxx::transaction_base& sql, const IncomingTransaction& transaction,
           const std::set<RowId>& skip) const;
  // Behind its last rows. `more`: another one follows in the same SQL transaction.
  void finish(pqxx::transaction_base& sql, const IncomingTransaction& transaction, bool more) const;

  // What a part that is put aside for its columns says of them. A row that says nothing is no
  // error.
  void note_drift(pqxx::transaction_base& sql, std::string_view part) const;

 private:
  template <typename Body>
  auto blame(pqxx::transaction_base& sql, const IncomingTransaction& transaction, Body body) const;

  const Micros handler_timeout_;
  std::int64_t version_ = 0;
  std::set<std::string, std::less<>> accepted_;
  std::vector<std::string> patterns_, strict_;
};

}  // namespace oltp20::spoke
