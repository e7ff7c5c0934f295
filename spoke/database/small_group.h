// A group of a few rows of one origin is applied by one statement, which spares the round trips of
// COPY in a transaction. Internal to this folder: it shows libpqxx.
#pragma once

#include <pqxx/pqxx>
#include <string>

#include "spoke/core/inbox.h"

namespace oltp20::spoke {

void prepare_small(pqxx::connection& connection);

bool is_small(const ApplyGroup& group);
// False: the database refused something, or mark, position or registry is not the expected one,
// nothing happened; the long way finds out what and why.
bool apply_small(pqxx::connection& connection, const std::string& hub, const ApplyGroup& group,
                 std::int64_t registry_version);

}  // namespace oltp20::spoke
