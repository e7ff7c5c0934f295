// What an inbox knows when it is opened: this database's life, how far it is with every origin and
// in a hub's stream, and what it did not apply. Internal to this folder: it shows libpqxx.
#pragma once

#include <pqxx/pqxx>
#include <string>

#include "spoke/core/inbox.h"
#include "spoke/database/schema.h"

namespace oltp20::spoke {

// All but strict_origins, which the registry's copy has. Writes down a life of the database that is
// seen for the first time.
InboxState read_inbox(pqxx::connection& connection, const WalIdentity& wal, const std::string& hub);

}  // namespace oltp20::spoke
