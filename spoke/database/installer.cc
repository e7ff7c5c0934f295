#include "spoke/database/installer.h"

#include <array>
#include <chrono>
#include <thread>

#include "common/wire/sha256.h"
#include "spoke/database/migrations.h"
#include "spoke/database/schema.h"
#include "spoke/database/session.h"

namespace oltp20::spoke {

namespace {

constexpr std::array kRoles = {"oltp20_owner", "oltp20_application", "oltp20_agent", "oltp20_admin",
                               "oltp20_developer"};
constexpr std::array kSchemas = {"oltp20", "message", "oltp20_published", "oltp20_handler"};

std::string checksum(std::string_view text) {
  Sha256 hasher;
  hasher.update(text);
  return to_hex(hasher.finish());
}

bool role_exists(pqxx::transaction_base& sql, const std::string& role) {
  return !sql.exec("select from pg_roles where rolname = " + sql.quote(role)).empty();
}

bool is_member(pqxx::transaction_base& sql, const std::string& member, const std::string& role) {
  return sql
      .exec1("select pg_has_role(" + sql.quote(member) + ", " + sql.quote(role) + ", 'member')")[0]
      .as<bool>();
}

// What is still to be done about roles, as statements: run by us, or printed for whoever may.
std::vector<std::string> role_statements(pqxx::transaction_base& sql, const UrlParts& agent,
                                         bool with_password) {
  std::vector<std::string> out;
  for (const std::string role : kRoles)
    if (role != agent.user && !role_exists(sql, role))
      out.push_back("create role " + role + " nologin");
  const std::string login = sql.quote_name(agent.user);
  if (!role_exists(sql, agent.user)) {
    std::string password;
    if (!agent.password.empty())
      password = " password " + (with_password ? sql.quote(agent.password) : "'...'");
    out.push_back("create role " + login + " login" + password);
  } else if (!sql.exec1("select rolcanlogin from pg_roles where rolname = " +
                        sql.quote(agent.user))[0]
                  .as<bool>()) {
    out.push_back("alter role " + login + " login");
  }
  if (agent.user != "oltp20_agent" &&
      !(role_exists(sql, agent.user) && role_exists(sql, "oltp20_agent") &&
        is_member(sql, agent.user, "oltp20_agent")))
    out.push_back("grant oltp20_agent to " + login);
  if (!(role_exists(sql, "oltp20_admin") && role_exists(sql, "oltp20_developer") &&
        is_member(sql, "oltp20_admin", "oltp20_developer")))
    out.push_back("grant oltp20_developer to oltp20_admin");
  const std::string self = sql.exec1("select current_user")[0].c_str();
  if (!(role_exists(sql, "oltp20_owner") && is_member(sql, self, "oltp20_owner")))
    out.push_back("grant oltp20_owner to " + sql.quote_name(self));
  return out;
}

Status make_roles(pqxx::transaction_base& sql, const UrlParts& agent) {
  const std::vector<std::string> shown = role_statements(sql, agent, false);
  if (shown.empty()) return {};
  if (!sql.exec1("select rolsuper or rolcreaterole from pg_roles where rolname = current_user")[0]
           .as<bool>()) {
    std::string message =
        "the administrator's login lacks CREATEROLE. Have someone who has it run"
        " these statements, then install again:";
    for (const std::string& statement : shown) message += "\n  " + statement + ";";
    return Status(Code::denied, message);
  }
  for (const std::string& statement : role_statements(sql, agent, true)) sql.exec0(statement);
  return {};
}

Status make_schemas(pqxx::transaction_base& sql, const Session& session) {
  if (!sql.exec1("select has_database_privilege(current_database(), 'create')")[0].as<bool>())
    return Status(Code::denied, session.label() +
                                    ": the administrator's login needs CREATE on "
                                    "the database.");
  for (const std::string schema : kSchemas)
    if (!sql.exec("select from pg_namespace where nspname = '" + schema + "'").empty())
      return Status(Code::invalid, session.label() + " already has a schema '" + schema +
                                       "' that is not ours. Rename it, or choose another "
                                       "database.");
  for (const std::string schema : kSchemas)
    sql.exec0("create schema " + schema + " authorization oltp20_owner");
  sql.exec0("set local role oltp20_owner");
  sql.exec0(
      "create table oltp20.migration (number integer primary key, name text not null, "
      "checksum text not null, applied_at timestamptz not null default clock_timestamp())");
  return {};
}

// Runs what is missing, as oltp20_owner.
Status migrate(pqxx::transaction_base& sql, const Session& session) {
  const int installed = installed_version(sql);
  if (installed > schema_version())
    return Status(Code::invalid, session.label() + " has schema version " +
                                     std::to_string(installed) + ", newer than this program's " +
                                     std::to_string(schema_version()) + ". Upgrade oltp20-spoke.");
  if (installed == 0) OLTP20_TRY(make_schemas(sql, session));
  sql.exec0("set local role oltp20_owner");
  sql.exec0("alter default privileges revoke execute on functions from public");
  for (const Migration& migration : migrations()) {
    const std::string sum = checksum(migration.text);
    if (migration.number <= installed) {
      const std::string known = sql.exec1("select checksum from oltp20.migration where number = " +
                                          std::to_string(migration.number))[0]
                                    .c_str();
      if (known != sum)
        return Status(Code::invalid, session.label() + ": migration " +
                                         std::string(migration.name) +
                                         " in the database is not this program's. Install the "
                                         "program that made it.");
      continue;
    }
    sql.exec(std::string(migration.text), std::string(migration.name));
    sql.exec_params0("insert into oltp20.migration (number, name, checksum) values ($1, $2, $3)",
                     migration.number, std::string(migration.name), sum);
  }
  sql.exec0("revoke execute on all functions in schema oltp20 from public");
  sql.exec0("grant select on oltp20.migration to oltp20_agent, oltp20_application, oltp20_admin");
  return {};
}

// Where the first life began, so that a replica that was promoted before the first tick reached it,
// or a dump in another server, is known as another life. Nobody has captured from it yet.
void name_the_server(pqxx::transaction_base& sql, const WalIdentity& wal) {
  sql.exec_params0(
      "update oltp20.tick set system_identifier = $1, timeline = $2::bigint where number = 0 "
      "and system_identifier = '' and not exists (select from oltp20.tick where number > 0)",
      wal.system_identifier, wal.timeline);
}

Status install_once(const InstallOptions& options, const UrlParts& agent) {
  auto session = Session::connect({options.admin_url, "oltp20 install"});
  if (!session) return session.status();
  if ((*session)->connection().server_version() < 130000)
    return Status(Code::invalid, (*session)->label() + " is older than PostgreSQL 13.");
  const WalIdentity server = wal_identity(**session);
  pqxx::work sql((*session)->connection());
  const std::string encoding = sql.exec1("show server_encoding")[0].c_str();
  if (encoding != "UTF8")
    return Status(Code::invalid, (*session)->label() + " has encoding " + encoding +
                                     "; UTF8 is needed. Create the database with encoding 'UTF8'.");
  sql.exec("select pg_advisory_xact_lock(hashtext('oltp20.install'))");
  OLTP20_TRY(make_roles(sql, agent));
  OLTP20_TRY(migrate(sql, **session));
  name_the_server(sql, server);
  if (const std::string now =
          sql.exec1("select value from oltp20.setting where name = 'order'")[0].c_str();
      now != options.order)
    sql.exec_params("select oltp20.set_order($1)", options.order);
  sql.commit();
  return {};
}

Status check_nothing_unstable(pqxx::transaction_base& sql, const Session& session) {
  pqxx::row row = sql.exec1("select rows_waiting, captured_seq, stable_seq from oltp20.status");
  if (row[0].as<std::int64_t>() > 0 || row[1].as<std::int64_t>() > row[2].as<std::int64_t>())
    return Status(Code::conflict,
                  session.label() + ": " + row[0].c_str() + " rows are not captured and " +
                      std::to_string(row[1].as<std::int64_t>() - row[2].as<std::int64_t>()) +
                      " transactions are not stable yet. Let the agent run until they are, or "
                      "uninstall with --force and lose them.");
  return {};
}

}  // namespace

Status install(const InstallOptions& options) {
  Result<UrlParts> agent = parse_url(options.agent_url);
  if (!agent) return agent.status();
  if (agent->user.empty())
    return Status(Code::invalid,
                  "[database] url names no user: write "
                  "postgresql://oltp20_agent@HOST:PORT/DATABASE.");
  if (options.order != "exact" && options.order != "fast")
    return Status(Code::invalid, "order is \"exact\" or \"fast\", not \"" + options.order + "\".");
  // Roles are the whole server's: two installations at once may meet in the catalogue.
  Status status;
  for (int attempt = 0; attempt < 5; ++attempt) {
    bool again = false;
    status = guard("installing", [&]() -> Status {
      try {
        return install_once(options, *agent);
      } catch (const pqxx::sql_error& error) {
        again = error.sqlstate() == "42710" || error.sqlstate() == "23505" ||
                error.sqlstate() == "XX000";
        throw;
      }
    });
    if (!again) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(50 << attempt));
  }
  return status;
}

Status uninstall(const std::string& admin_url, bool force) {
  auto session = Session::connect({admin_url, "oltp20 uninstall"});
  if (!session) return session.status();
  return guard("uninstalling", [&]() -> Status {
    {
      pqxx::nontransaction sql((*session)->connection());
      if (installed_version(sql) == 0) return {};
    }
    OLTP20_TRY(take_agent_lock(**session, AgentLock::outbox, {}));
    OLTP20_TRY(take_agent_lock(**session, AgentLock::inbox, {}));
    pqxx::work sql((*session)->connection());
    sql.exec0("set local role oltp20_owner");
    sql.exec0("set local lock_timeout = '10s'");
    sql.exec0("lock table message.outgoing in share mode");
    if (!force) OLTP20_TRY(check_nothing_unstable(sql, **session));
    sql.exec0("drop schema message, oltp20, oltp20_published, oltp20_handler cascade");
    sql.commit();
    return {};
  });
}

}  // namespace oltp20::spoke
