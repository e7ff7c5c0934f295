#include "spoke/database/outbox_lives.h"

#include <cstdio>

#include "common/base/limits.h"
#include "spoke/database/receipt_rows.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

std::string lsn_text(std::uint64_t lsn) {
  char text[32];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn >> 32),
                static_cast<unsigned>(lsn));
  return text;
}

}  // namespace

Tick tick_of(const pqxx::row& row) {
  Tick tick;
  tick.number = row[0].as<std::uint64_t>();
  tick.epoch = id_of_uuid<Epoch>(row[1].c_str());
  tick.previous = row[2].c_str();
  tick.snapshot = row[3].c_str();
  tick.first = row[4].as<Seq>();
  tick.last = row[5].as<Seq>();
  tick.server = {row[6].c_str(), static_cast<std::uint32_t>(row[7].as<std::int64_t>())};
  tick.wal_lsn = row[8].as<std::uint64_t>();
  return tick;
}

OutboxState read_lives(pqxx::connection& connection, const WalIdentity& wal) {
  pqxx::transaction<pqxx::repeatable_read, pqxx::read_only> sql(connection);
  OutboxState state;
  pqxx::row life = sql.exec1(
      "select id::text, coalesce(parent::text, ''), fork_seq, fork_chain, overlap_before::text "
      "from oltp20.epoch order by number desc limit 1");
  state.epoch.id = id_of_uuid<Epoch>(life[0].c_str());
  if (life[1].size() > 0) state.epoch.parent = id_of_uuid<Epoch>(life[1].c_str());
  state.epoch.fork = {life[2].as<Seq>(), Hash::from(bytea_bytes(life[3].c_str()))};
  state.overlap_before = life[4].as<std::uint64_t>();
  for (const auto& row : sql.exec(
           "with recursive lives as (select e.*, 0 as age from oltp20.epoch e where e.id = " +
           sql.quote(life[0].c_str()) +
           " union all select p.*, l.age + 1 from lives l join oltp20.epoch p on p.id = l.parent "
           "where l.age < " +
           std::to_string(limits::kAncestors) +
           ") select id::text, coalesce(parent::text, ''), fork_seq, fork_chain from lives "
           "where age > 0 order by age")) {
    EpochInfo ancestor;
    ancestor.id = id_of_uuid<Epoch>(row[0].c_str());
    if (row[1].size() > 0) ancestor.parent = id_of_uuid<Epoch>(row[1].c_str());
    ancestor.fork = {row[2].as<Seq>(), Hash::from(bytea_bytes(row[3].c_str()))};
    state.ancestors.push_back(ancestor);
  }
  const std::string epoch = sql.quote(life[0].c_str());
  state.server = {wal.system_identifier, wal.timeline};
  state.wal_lsn = wal.lsn;
  state.last_tick = tick_of(sql.exec1(std::string("select ") + kTickColumns +
                                      " from oltp20.tick order by number desc limit 1"));
  for (const auto& row : sql.exec("select seq, chain from oltp20.checkpoint where epoch = " +
                                  epoch + " order by seq desc limit 1"))
    state.stable = {row[0].as<Seq>(), Hash::from(bytea_bytes(row[1].c_str()))};
  state.pruned =
      sql.exec1("select coalesce(max(seq), 0) from oltp20.pruned where epoch = " + epoch)[0]
          .as<Seq>();
  state.secret = bytea_bytes(sql.exec1("select bytes from oltp20.secret")[0].c_str());
  state.receipts_off = spoke::receipts_off(sql);
  state.may_notify = sql.exec1("show max_prepared_transactions")[0].as<int>() == 0;
  return state;
}

Status begin_life(Session& session, const WalIdentity& wal, const EpochInfo& epoch,
                  const Tick& from, Seq network_has, const std::string& why) {
  pqxx::work sql(session.connection());
  const std::string current =
      sql.exec1("select id::text from oltp20.epoch order by number desc limit 1")[0].c_str();
  if (current == uuid_text(epoch.id)) return {};  // said again after a lost answer
  if (current != uuid_text(epoch.parent))
    return Status(Code::conflict, session.label() + ": the current epoch is " + current +
                                      ", not the parent " + uuid_text(epoch.parent));
  const Seq lost = network_has > epoch.fork.seq ? network_has - epoch.fork.seq : 0;
  sql.exec_params0(
      "insert into oltp20.epoch (id, parent, fork_seq, fork_chain, network_has, lost, why, "
      "overlap_before) values ($1::uuid, $2::uuid, $3::bigint, $4::bytea, $5::bigint, "
      "$6::bigint, $7, pg_snapshot_xmax(pg_current_snapshot()))",
      uuid_text(epoch.id), current, epoch.fork.seq, bytea_text(epoch.fork.chain.view()),
      network_has, lost, why);
  // Retention need not wait for anybody's word on the old life.
  if (epoch.fork.seq > 0)
    sql.exec_params0(
        "insert into oltp20.checkpoint (epoch, seq, chain, hub) values ($1::uuid, $2::bigint, "
        "$3::bytea, 'at the fork') on conflict do nothing",
        current, epoch.fork.seq, bytea_text(epoch.fork.chain.view()));
  // The anchor: capture goes on from what `from` had seen, with seq 1.
  sql.exec_params0(
      "insert into oltp20.tick (number, epoch, previous, snapshot, first, last, "
      "system_identifier, timeline, wal_lsn) select (select max(number) + 1 from oltp20.tick), "
      "$1::uuid, s.snapshot, s.snapshot, 1, 0, $3, $4::bigint, $5::pg_lsn "
      "from (select coalesce(nullif($2, ''), '3:3:')::pg_snapshot as snapshot) s",
      uuid_text(epoch.id), from.snapshot, wal.system_identifier, wal.timeline, lsn_text(wal.lsn));
  sql.commit();
  return {};
}

}  // namespace oltp20::spoke
