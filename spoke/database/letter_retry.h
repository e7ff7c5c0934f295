// Dead letters that an operator wants tried again: decoded from the bytes that were kept, and
// applied whole. Internal to this folder: it shows libpqxx.
#pragma once

#include <pqxx/pqxx>

#include "spoke/database/table_rows.h"

namespace oltp20::spoke {

// All that are wanted, each in an SQL transaction of its own; one that is refused again keeps the
// new error. Throws what is no letter's fault. Returns how many were applied.
std::size_t retry_letters(pqxx::connection& connection, TableRows& tables);

}  // namespace oltp20::spoke
