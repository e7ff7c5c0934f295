// Receipts, written into the origin's database. Internal to this folder: it shows libpqxx.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "common/wire/frames.h"

namespace oltp20::spoke {

// Prepares what the others run, for this connection.
void prepare_receipts(pqxx::connection& connection);
// In one transaction that is not flushed: what is lost is said again.
void put_receipts(pqxx::connection& connection, const std::vector<DestinationReceipt>& receipts);
// Whether a session waits in oltp20.wait_for().
bool somebody_waits(pqxx::connection& connection);
std::vector<std::string> receipts_off(pqxx::transaction_base& sql);

}  // namespace oltp20::spoke
