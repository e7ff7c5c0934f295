#include "spoke/database/receipt_rows.h"

#include "spoke/database/values.h"

namespace oltp20::spoke {

void prepare_receipts(pqxx::connection& connection) {
  connection.prepare("receipt",
                     "select oltp20.record_receipt($1, $2, $3::uuid, $4::uuid, $5::bigint, "
                     "$6::bigint, $7::bigint, $8)");
  connection.prepare("receipt_exception",
                     "select oltp20.record_receipt_exception($1, $2::uuid, $3::bigint, "
                     "$4::bigint, $5::integer, $6, $7)");
  // Whoever waits holds it shared; see oltp20.wait_for().
  connection.prepare("somebody_waits", "select not pg_try_advisory_xact_lock(2129440, 3)");
}

void put_receipts(pqxx::connection& connection, const std::vector<DestinationReceipt>& receipts) {
  pqxx::work sql(connection);
  sql.exec0("set local synchronous_commit = off");
  for (const DestinationReceipt& said : receipts) {
    const Receipt& receipt = said.receipt;
    const std::string epoch = uuid_text(receipt.epoch);
    sql.exec_prepared("receipt", said.destination, said.region, uuid_text(said.database), epoch,
                      receipt.base, receipt.seq, receipt.held_to, receipt.held_reason);
    for (const ReceiptException& exception : receipt.exceptions)
      sql.exec_prepared("receipt_exception", said.destination, epoch, exception.from, exception.to,
                        static_cast<int>(exception.kind), exception.code, exception.reason);
  }
  sql.commit();
}

bool somebody_waits(pqxx::connection& connection) {
  pqxx::nontransaction sql(connection);
  return sql.exec_prepared1("somebody_waits")[0].as<bool>();
}

std::vector<std::string> receipts_off(pqxx::transaction_base& sql) {
  std::vector<std::string> out;
  for (const auto& row : sql.exec("select pattern from oltp20.receipt_off order by pattern"))
    out.emplace_back(row[0].c_str());
  return out;
}

}  // namespace oltp20::spoke
