// SpokeProgram: a running agent, put together from its configuration.
#pragma once

#include <memory>
#include <string>

#include "common/observe/http.h"
#include "common/observe/log.h"
#include "spoke/agent/destination_loop.h"
#include "spoke/agent/origin_loop.h"
#include "spoke/agent/retention_loop.h"
#include "spoke/config/spoke_config.h"
#include "spoke/database/backlog.h"
#include "spoke/observe/metrics.h"

namespace oltp20::spoke {

// What can be checked without connecting: certificate and name.
Result<CertificateInfo> check_spoke(const SpokeConfig& config);
std::string order_name(Order order);

class SpokeProgram {
 public:
  SpokeProgram(SpokeConfig config, Log& log);
  ~SpokeProgram();  // stops

  Status start();
  // Once a second, from the thread that started it.
  void update_metrics();

 private:
  void observe(const OriginNotice& notice);
  void observe(const DestinationNotice& notice);
  void observe(const RetentionNotice& notice);
  void start_http();
  void look_at_backlog();  // in a thread of its own: it waits for the database
  void update_lag(const OriginStatus& up, const DestinationStatus& down);
  void update_links(const OriginStatus& up, const DestinationStatus& down);
  std::string hub_label() const;
  Health health() const;
  Health readiness() const;

  const SpokeConfig config_;
  Log& log_;
  SpokeMetrics metrics_;
  std::unique_ptr<OriginLoop> origin_;
  std::unique_ptr<DestinationLoop> destination_;
  std::unique_ptr<RetentionLoop> retention_;
  std::unique_ptr<HttpServer> http_;
  BacklogProbe probe_;
  LoopThread prober_;
  mutable std::mutex backlog_mutex_;
  Backlog backlog_;  // as last seen; its outbox part is empty while forwarding keeps up
};

}  // namespace oltp20::spoke
