// Whether the schema in a database is the one that this program knows. Internal: shows libpqxx.
#pragma once

#include <pqxx/pqxx>
#include <string>

#include "common/base/status.h"
#include "spoke/database/session.h"

namespace oltp20::spoke {

// The number of the newest migration of this program.
int schema_version();
// The newest migration in the database; 0 when there is no schema.
int installed_version(pqxx::transaction_base& transaction);

// Errors: invalid (missing, older, newer; a standby; a server before 13), with the remedy.
Status check_database(Session& session);

// system_identifier and timeline, and where the log is; empty where the server hides them.
struct WalIdentity {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  std::uint64_t lsn = 0;
  bool visible = false;  // whether the functions of the log may be called
};
WalIdentity wal_identity(Session& session);

// Takes the session advisory lock of this kind. Errors: conflict, saying who holds it. A holder who
// is no member of oltp20_agent (anybody may take an advisory lock) is told to `warn` and not
// obeyed: then the compare-and-sets of tick and marks alone keep a second agent from doing harm.
enum class AgentLock { outbox = 1, inbox = 2 };
using Warn = std::function<void(const std::string&)>;
Status take_agent_lock(Session& session, AgentLock lock, const Warn& warn);

}  // namespace oltp20::spoke
