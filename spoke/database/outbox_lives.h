// The lives of an outbox's database, as ticks, epochs and checkpoints say, and the beginning of
// another. Internal to this folder: it shows libpqxx.
#pragma once

#include <pqxx/pqxx>
#include <string>

#include "spoke/core/outbox.h"
#include "spoke/database/schema.h"
#include "spoke/database/session.h"

namespace oltp20::spoke {

// Of oltp20.tick, for tick_of().
inline constexpr const char* kTickColumns =
    "number, epoch::text, previous::text, snapshot::text, first, last, "
    "system_identifier, timeline, pg_wal_lsn_diff(wal_lsn, '0/0')::bigint";
Tick tick_of(const pqxx::row& row);

// Read in one snapshot, so that its parts belong together.
OutboxState read_lives(pqxx::connection& connection, const WalIdentity& wal);

// As Outbox::begin_epoch(). Errors: conflict.
Status begin_life(Session& session, const WalIdentity& wal, const EpochInfo& epoch,
                  const Tick& from, Seq network_has, const std::string& why);

}  // namespace oltp20::spoke
