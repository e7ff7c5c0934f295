// HubProgram: a running hub, put together from its configuration.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/link/server.h"
#include "common/observe/http.h"
#include "common/observe/log.h"
#include "hub/admin/admin.h"
#include "hub/broker/broker.h"
#include "hub/config/hub_config.h"
#include "hub/journal/retention.h"
#include "hub/observe/metrics.h"

namespace oltp20::hub {

// What can be checked without listening or opening the journal: certificate, name, policy.
Result<CertificateInfo> check_hub(const HubConfig& config);
TlsPaths tls_paths(const HubConfig& config);

class HubProgram {
 public:
  // `restored`: the data directory comes from a backup; its journal begins a new incarnation.
  HubProgram(HubConfig config, Log& log, bool restored = false);
  ~HubProgram();  // stops: no new work, what is in flight is finished or handed back

  Status start();
  // SIGHUP: policy and revocation list. What is wrong leaves the old one in force.
  Status reload();
  // Once a second, from the thread that started it.
  void update_metrics();
  std::string address() const { return links_ ? links_->address() : ""; }

 private:
  void observe(const Notice& notice);
  void observe_durable(const Notice& notice);
  void denied(const std::string& who, const std::string& reason);
  void journal_fails(const std::string& fault);  // empty: it works again
  void update_spokes();
  void update_queues(std::uint64_t ingest_bytes);
  void start_http();
  Lsn retain();
  Health health() const;
  Health readiness() const;

  const HubConfig config_;
  const bool restored_;
  Log& log_;
  HubMetrics metrics_;
  std::uint64_t receipts_dropped_ = 0;  // of them, counted
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<HubAdmin> admin_;
  std::unique_ptr<LinkServer> links_;
  std::unique_ptr<HttpServer> http_;
  // In the core's thread only.
  RetentionLedger ledger_;
  std::optional<WallClockGuard> wall_clock_;  // since the journal was opened
  std::string retention_sentence_;            // the last that was logged
  std::atomic<std::uint64_t> appended_bytes_{0};
  mutable std::mutex fault_mutex_;
  std::string journal_fault_;  // empty: it takes writes
};

}  // namespace oltp20::hub
