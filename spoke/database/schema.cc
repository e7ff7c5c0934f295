#include "spoke/database/schema.h"

#include <chrono>
#include <thread>

#include "spoke/database/migrations.h"

namespace oltp20::spoke {

namespace {

constexpr int kAdvisoryClass = 0x0020'7E20;  // of every advisory lock of ours
// The session that we have just closed ourselves needs a moment to end on the server.
constexpr int kLockAttempts = 10;

}  // namespace

int schema_version() {
  return migrations().back().number;
}

int installed_version(pqxx::transaction_base& transaction) {
  if (transaction.exec1("select to_regclass('oltp20.migration')")[0].is_null()) return 0;
  return transaction.exec1("select coalesce(max(number), 0) from oltp20.migration")[0].as<int>();
}

Status check_database(Session& session) {
  pqxx::nontransaction transaction(session.connection());
  const std::string& where = session.label();
  if (session.connection().server_version() < 130000)
    return Status(Code::invalid, where + " is PostgreSQL " +
                                     std::to_string(session.connection().server_version() / 10000) +
                                     "; 13 or later is needed. Upgrade the server.");
  if (transaction.exec1("select pg_is_in_recovery()")[0].as<bool>())
    return Status(Code::invalid,
                  where +
                      " is a standby, whose snapshots leave out running transactions. Point "
                      "[database] url at the primary, or list all hosts.");
  int version = 0;
  try {
    version = installed_version(transaction);
  } catch (const pqxx::insufficient_privilege&) {
    return Status(Code::denied, where +
                                    ": this login may not read the schema oltp20. Run "
                                    "oltp20-spoke install --config FILE.");
  }
  if (version == 0)
    return Status(Code::invalid,
                  where + " has no schema oltp20. Run oltp20-spoke install --config FILE.");
  if (version < schema_version())
    return Status(Code::invalid, where + " has schema version " + std::to_string(version) +
                                     ", older than this program's " +
                                     std::to_string(schema_version()) +
                                     ". Run oltp20-spoke install --config FILE.");
  if (version > schema_version())
    return Status(Code::invalid, where + " has schema version " + std::to_string(version) +
                                     ", newer than this program's " +
                                     std::to_string(schema_version()) + ". Upgrade oltp20-spoke.");
  return {};
}

WalIdentity wal_identity(Session& session) {
  WalIdentity out;
  try {
    pqxx::nontransaction transaction(session.connection());
    pqxx::row row = transaction.exec1(
        "select (select system_identifier from pg_control_system()), "
        "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint, "
        "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, "
        "pg_current_wal_flush_lsn() is not null");
    out = {row[0].c_str(), static_cast<std::uint32_t>(row[1].as<std::int64_t>()),
           row[2].as<std::uint64_t>(), true};
  } catch (const pqxx::sql_error&) {
    // A managed service that hides these functions: the chain alone must tell lives apart. A lost
    // connection shows at the next statement.
  }
  return out;
}

Status take_agent_lock(Session& session, AgentLock lock, const Warn& warn) {
  pqxx::nontransaction transaction(session.connection());
  const std::string key =
      std::to_string(kAdvisoryClass) + ", " + std::to_string(static_cast<int>(lock));
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    pqxx::row row = transaction.exec1("select pg_try_advisory_lock(" + key + "), pg_backend_pid()");
    if (row[1].as<int>() != session.connection().backendpid())
      return Status(Code::invalid, session.label() +
                                       " is behind a transaction pooler, where locks of a session "
                                       "do not hold. Point [database] url at PostgreSQL itself.");
    if (row[0].as<bool>()) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  pqxx::result holder = transaction.exec(
      "select l.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, '?'), "
      "coalesce(host(a.client_addr), 'the local socket'), "
      "coalesce(date_trunc('second', a.backend_start)::text, '?'), "
      "coalesce(pg_has_role(a.usesysid, 'oltp20_agent', 'member'), false) from pg_locks l "
      "left join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted "
      "and l.database = (select oid from pg_database where datname = current_database()) "
      "and l.classid = " +
      std::to_string(kAdvisoryClass) + " and l.objid = " + std::to_string(static_cast<int>(lock)) +
      " order by 6 desc");
  if (holder.empty())
    return Status(Code::conflict,
                  session.label() + ": another agent has just gone from here. Try again.");
  const std::string who = "process " + std::string(holder[0][0].c_str()) + " of '" +
                          holder[0][1].c_str() + "', " + holder[0][2].c_str() + ", from " +
                          holder[0][3].c_str() + ", since " + holder[0][4].c_str();
  if (!holder[0][5].as<bool>()) {
    if (warn)
      warn(session.label() + ": the agent's lock is held by " + who +
           ", which is no member of oltp20_agent. Going on without it: find out what that is, and "
           "see to it that one agent runs here");
    return {};
  }
  return Status(Code::conflict, session.label() + ": another agent runs here (" + who +
                                    "). Stop it, or wait until the server has seen it go.");
}

}  // namespace oltp20::spoke
