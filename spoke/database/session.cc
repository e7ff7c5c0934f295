#include "spoke/database/session.h"

#include <libpq-fe.h>

#include <map>
#include <stdexcept>

namespace oltp20::spoke {

namespace {

using Parameters = std::map<std::string, std::string>;

Result<Parameters> parse_parameters(const std::string& url) {
  char* error = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &error);
  if (options == nullptr) {
    std::string reason = error == nullptr ? "out of memory" : error;
    PQfreemem(error);
    return Status(Code::invalid, "[database] url cannot be read: " + reason +
                                     " Write postgresql://USER@HOST:PORT/DATABASE.");
  }
  Parameters out;
  for (PQconninfoOption* option = options; option->keyword != nullptr; ++option)
    if (option->val != nullptr) out[option->keyword] = option->val;
  PQconninfoFree(options);
  return out;
}

std::string conninfo_of(const Parameters& parameters) {
  std::string out;
  for (const auto& [keyword, value] : parameters) {
    out += keyword + "='";
    for (char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += "' ";
  }
  return out;
}

UrlParts parts_of(const Parameters& parameters) {
  auto get = [&](const char* key, const char* otherwise) {
    auto found = parameters.find(key);
    return found == parameters.end() ? std::string(otherwise) : found->second;
  };
  std::string host = get("host", get("hostaddr", "the local socket").c_str());
  return {host, get("port", "5432"), get("dbname", get("user", "").c_str()), get("user", ""),
          get("password", "")};
}

// A user, a role or a database may have set any of these; what the session sets wins.
constexpr const char* kPinned =
    "set search_path = pg_catalog; set datestyle = 'ISO, YMD'; set intervalstyle = postgres; "
    "set timezone = 'UTC'; set extra_float_digits = 1; set standard_conforming_strings = on; "
    "set client_encoding = 'UTF8'; set bytea_output = 'hex'; set statement_timeout = 0; "
    "set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; set row_security = off; "
    "set default_transaction_isolation = 'read committed'; set default_transaction_read_only = off;"
    "set default_transaction_deferrable = off; set jit = off; set enable_seqscan = off; set "
    "enable_indexscan = on; set enable_nestloop = on; "
    "set plan_cache_mode = force_generic_plan; set client_min_messages = warning; "
    "set array_nulls = on; set xmloption = content; set transform_null_equals = off";

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// libpq reports refused connections as text only; the text says which kind it is.
Status connect_error(const UrlParts& parts, std::string text) {
  if (!text.empty() && text.back() != '.' && text.back() != '?') text += '.';
  if (contains(text, "read-only") || contains(text, "hot standby"))
    return Status(Code::unavailable, parts.label() +
                                         " takes no writes (a standby, or read-only). Point "
                                         "[database] url at the primary, or list all hosts: " +
                                         text);
  if (contains(text, "does not exist") && contains(text, "database \""))
    return Status(Code::denied, parts.label() +
                                    " does not exist. Create it first (create database \"" +
                                    parts.database +
                                    "\" encoding 'UTF8' template template0), then run "
                                    "oltp20-spoke install --config FILE; or correct [database] "
                                    "url. The server says: " +
                                    text);
  if (contains(text, "does not exist"))
    return Status(Code::denied, parts.label() + " has no role '" + parts.user + "': " + text +
                                    " Run oltp20-spoke install --config FILE, or correct "
                                    "[database] url.");
  if (contains(text, "authentication") || contains(text, "pg_hba.conf") ||
      contains(text, "not permitted") || contains(text, "permission denied"))
    return Status(Code::denied, parts.label() + " refuses user '" + parts.user + "': " + text +
                                    " Check the password and pg_hba.conf.");
  return Status(Code::unavailable, parts.label() + " cannot be reached: " + text +
                                       " Is the server running and is [database] url right?");
}

Code code_of(const std::string& state) {
  const std::string kind = state.substr(0, 2);
  if (state == "42501") return Code::denied;
  if (kind == "53" || state == "55P03" || kind == "40") return Code::exhausted;
  if (kind == "08" || kind == "57" || kind == "58" || state == "25006") return Code::unavailable;
  if (kind == "55" || state == "25P03") return Code::unavailable;
  if (kind == "XX") return Code::internal;
  return Code::invalid;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

std::string UrlParts::label() const {
  return "database '" + database + "' at " + hosts + ":" + ports;
}

Result<UrlParts> parse_url(const std::string& url) {
  Result<Parameters> parameters = parse_parameters(url);
  if (!parameters) return parameters.status();
  return parts_of(*parameters);
}

Result<std::unique_ptr<Session>> Session::connect(const SessionOptions& options) {
  Result<Parameters> parsed = parse_parameters(options.url);
  if (!parsed) return parsed.status();
  Parameters parameters = *parsed;
  const UrlParts parts = parts_of(parameters);
  parameters["application_name"] = options.application_name;
  parameters["client_encoding"] = "UTF8";
  for (auto [key, value] : {std::pair{"connect_timeout", "5"},
                            {"keepalives", "1"},
                            {"keepalives_idle", "5"},
                            {"keepalives_interval", "2"},
                            {"keepalives_count", "3"},
                            {"tcp_user_timeout", "15000"}})
    parameters.emplace(key, value);
  if (options.read_write) parameters["target_session_attrs"] = "read-write";
  try {
    std::unique_ptr<Session> session(new Session(conninfo_of(parameters), parts.label()));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // deprecated, and without replacement
    session->connection_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
    // PostgreSQL's notices (refused statements, dropped objects) are answers, not output.
    session->connection_.set_verbosity(pqxx::connection_base::normal);
    pqxx::nontransaction transaction(session->connection_);
    transaction.exec(kPinned);
    return session;
  } catch (const pqxx::broken_connection& error) {
    return connect_error(parts, trimmed(error.what()));
  } catch (...) {
    return current_exception_status("connecting to " + parts.label());
  }
}

void Session::pin() {
  pqxx::nontransaction(connection_).exec(kPinned);
}

void Session::cancel() {
  try {
    connection_.cancel_query();
  } catch (const std::exception&) {
    // The server cannot be reached: its statement ends with the connection.
  }
}

// libpqxx forgets the SQLSTATE where it has a class of its own for it.
std::string sqlstate_of(const pqxx::failure& error) {
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  if (sql && !sql->sqlstate().empty()) return sql->sqlstate();
  if (dynamic_cast<const pqxx::insufficient_privilege*>(&error)) return "42501";
  if (dynamic_cast<const pqxx::serialization_failure*>(&error)) return "40001";
  if (dynamic_cast<const pqxx::deadlock_detected*>(&error)) return "40P01";
  if (dynamic_cast<const pqxx::transaction_rollback*>(&error)) return "40000";
  if (dynamic_cast<const pqxx::disk_full*>(&error)) return "53100";
  if (dynamic_cast<const pqxx::out_of_memory*>(&error)) return "53200";
  if (dynamic_cast<const pqxx::insufficient_resources*>(&error)) return "53000";
  return "";
}

std::optional<std::string> current_sqlstate() {
  try {
    throw;
  } catch (const pqxx::failure& error) {
    std::string state = sqlstate_of(error);
    return state.empty() ? std::nullopt : std::optional(std::move(state));
  } catch (...) {
    return std::nullopt;
  }
}

Status current_exception_status(const std::string& doing) {
  try {
    throw;
  } catch (const pqxx::in_doubt_error& error) {
    return Status(Code::unavailable, doing +
                                         ": the connection was lost before the answer to "
                                         "COMMIT; open again to see whether it took effect: " +
                                         trimmed(error.what()));
  } catch (const pqxx::broken_connection& error) {
    return Status(Code::unavailable, doing + ": the connection was lost: " + trimmed(error.what()));
  } catch (const pqxx::failure& error) {
    const std::string state = sqlstate_of(error);
    if (state.empty())  // libpq's own: the connection, not a statement
      return Status(Code::unavailable, doing + ": " + trimmed(error.what()));
    return Status(code_of(state), doing + ": SQLSTATE " + state + ": " + trimmed(error.what()));
  } catch (const std::exception& error) {
    return Status(Code::internal, doing + ": " + trimmed(error.what()));
  }
}

}  // namespace oltp20::spoke
