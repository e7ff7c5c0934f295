#include "spoke/database/inbox_state.h"

#include <utility>

#include "common/base/limits.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

// origin, epoch, from, to, kind, code, reason
std::pair<OriginEpoch, ReceiptException> exception_of(const pqxx::row& row) {
  return {{row[0].c_str(), id_of_uuid<Epoch>(row[1].c_str())},
          {static_cast<ReceiptException::Kind>(row[4].as<int>()), row[2].as<Seq>(),
           row[3].as<Seq>(), row[5].c_str(), row[6].c_str()}};
}

// The life of this database; a new one when another server, or another timeline of it, answers.
Incarnation current_life(pqxx::connection& connection, const WalIdentity& wal) {
  pqxx::work sql(connection);
  pqxx::result known = sql.exec(
      "select incarnation::text, system_identifier, timeline from oltp20.database_life "
      "order by number desc limit 1");
  const bool same =
      !known.empty() && (!wal.visible || (known[0][1].c_str() == wal.system_identifier &&
                                          known[0][2].as<std::int64_t>() == wal.timeline));
  if (same) return id_of_uuid<Incarnation>(known[0][0].c_str());
  const Incarnation life = id_of_uuid<Incarnation>(
      sql.exec_params1("insert into oltp20.database_life (system_identifier, timeline) "
                       "values ($1, $2::bigint) returning incarnation::text",
                       wal.system_identifier, wal.timeline)[0]
          .c_str());
  sql.exec0("set local synchronous_commit = on");  // receipts speak of it
  sql.commit();
  return life;
}

}  // namespace

InboxState read_inbox(pqxx::connection& connection, const WalIdentity& wal,
                      const std::string& hub) {
  InboxState state;
  state.database = current_life(connection, wal);
  pqxx::transaction<pqxx::repeatable_read, pqxx::read_only> sql(connection);
  for (const auto& row : sql.exec_params(
           "select incarnation::text, lsn, hash from oltp20.stream_position where hub = $1", hub))
    state.position = StreamPosition{id_of_uuid<Incarnation>(row[0].c_str()), row[1].as<Lsn>(),
                                    Hash::from(bytea_bytes(row[2].c_str()))};
  for (const auto& row : sql.exec("select origin, epoch::text, base, seq from oltp20.mark"))
    state.marks.push_back(
        {row[0].c_str(), id_of_uuid<Epoch>(row[1].c_str()), row[2].as<Seq>(), row[3].as<Seq>()});
  for (const auto& row : sql.exec("select origin, epoch::text, parent::text, fork_seq, fork_chain "
                                  "from oltp20.known_epoch"))
    state.epochs.push_back({row[0].c_str(),
                            {id_of_uuid<Epoch>(row[1].c_str()),
                             id_of_uuid<Epoch>(row[2].c_str()),
                             {row[3].as<Seq>(), Hash::from(bytea_bytes(row[4].c_str()))}}});
  for (const auto& row : sql.exec("select origin, epoch::text, from_seq, to_seq, 1, '', "
                                  "left(reason, 300) from oltp20.gap "
                                  "where closed_at is null and origin <> ''")) {
    state.holes.push_back(exception_of(row));
    state.held_back.push_back(state.holes.back().first);
  }
  // The newest one by one, those before them as one.
  for (const auto& row : sql.exec_params(
           "select origin, epoch::text, min(from_seq), max(to_seq), "
           "case when count(*) = 1 then min(kind) else 3 end, "
           "case when count(*) = 1 then min(code) else '' end, "
           "case when count(*) = 1 then left(min(reason), 300) else 'some of these were put aside "
           "or given up' end from (select n.*, row_number() over (partition by origin, epoch "
           "order by to_seq desc) as age from oltp20.not_applied n) as ranked "
           "group by origin, epoch, least(age, $1::bigint) order by origin, epoch, 4",
           limits::kReceiptExceptions))
    state.exceptions.push_back(exception_of(row));
  return state;
}

}  // namespace oltp20::spoke
