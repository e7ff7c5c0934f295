#include "spoke/spoke_program.h"

#include <algorithm>

#include "spoke/database/pg_inbox.h"
#include "spoke/database/pg_outbox.h"

namespace oltp20::spoke {
namespace {

constexpr Micros kLoopStuck = 60 * kSecond;  // a statement may take long; a minute is no statement
constexpr Micros kLookEvery = 2 * kSecond;

double seconds(Micros us) {
  return static_cast<double>(us) / kSecond;
}

// Between two wall clocks; what cannot be counts as 0.
double seconds_between(std::int64_t from_us, std::int64_t to_us) {
  return from_us > 0 && from_us < to_us ? seconds(to_us - from_us) : 0;
}

// Of each transaction, since its newest row was written; a tombstone has none.
void observe_ages(Histogram* histogram, const std::vector<std::int64_t>& sent_at_us) {
  const std::int64_t now_us = system_clock().wall_us();
  for (std::int64_t at_us : sent_at_us)
    if (at_us != 0) histogram->observe(seconds_between(at_us, now_us));
}

bool keeps_up(const OriginStatus& up) {
  return up.attached && up.in_flight_bytes < up.window_bytes;
}

TlsPaths tls_paths(const SpokeConfig& config) {
  return {config.tls.ca.string(), config.tls.cert.string(), config.tls.key.string(),
          config.tls.crl ? config.tls.crl->string() : ""};
}

}  // namespace

std::string order_name(Order order) {
  return order == Order::exact ? "exact" : "fast";
}

Result<CertificateInfo> check_spoke(const SpokeConfig& config) {
  Result<CertificateInfo> own = check_certificate_files(tls_paths(config));
  if (!own) return own;
  if (own->identity.kind != Identity::Kind::spoke || own->identity.name != config.name)
    return Status(Code::denied, "[spoke] name is \"" + config.name + "\", but certificate " +
                                    config.tls.cert.string() + " says " + own->identity.label() +
                                    ": correct the name, or issue another with certs/issue");
  return own;
}

SpokeProgram::SpokeProgram(SpokeConfig config, Log& log)
    : config_(std::move(config)), log_(log), probe_(config_.database_url) {}

SpokeProgram::~SpokeProgram() {
  if (http_) http_->stop();
  // All are asked first: one that waits for the database must not take the others' time.
  prober_.ask_to_end();
  if (retention_) retention_->ask_to_stop();
  if (origin_) origin_->ask_to_stop();
  if (destination_) destination_->ask_to_stop();
  prober_.join([this] { probe_.cancel(); });
  if (retention_) retention_->stop();
  if (origin_) origin_->stop();
  if (destination_) destination_->stop();
}

Status SpokeProgram::start() {
  if (Result<CertificateInfo> own = check_spoke(config_); !own) return own.status();
  std::vector<LinkClientOptions> hubs;
  std::vector<std::string> names;
  for (const RemoteHub& hub : config_.hubs) {
    hubs.push_back({hub.endpoint.text(), hub.name, tls_paths(config_)});
    names.push_back(hub.name);
  }
  auto warn = [this](const std::string& text) {
    log_.warn("agent_lock", {{"spoke", config_.name}, {"text", text}});
  };
  OriginLoopOptions up;
  up.spoke = config_.name;
  up.hubs = hubs;
  up.observe = [this](const OriginNotice& notice) { observe(notice); };
  origin_ = std::make_unique<OriginLoop>(
      std::move(up), make_pg_outbox({config_.database_url, order_name(config_.order), warn}));
  DestinationLoopOptions down;
  down.core = {config_.name, config_.subscribe, config_.start == Start::now, names};
  down.hubs = hubs;
  down.observe = [this](const DestinationNotice& notice) { observe(notice); };
  destination_ = std::make_unique<DestinationLoop>(
      std::move(down),
      make_pg_inbox({config_.database_url, warn, config_.handler_timeout_seconds * kSecond}));
  RetentionLoopOptions retain;
  retain.url = config_.database_url;
  retain.horizon_us = config_.horizon_hours * 3600 * kSecond;
  retain.ready = [this] { return origin_->status().database_open; };
  retain.observe = [this](const RetentionNotice& notice) { observe(notice); };
  retention_ = std::make_unique<RetentionLoop>(std::move(retain));
  // Before the loops run, so that a port in use ends the start; its answers read both.
  if (config_.http_listen) {
    start_http();
    OLTP20_TRY(http_->start(*config_.http_listen));
  }
  origin_->start();
  destination_->start();
  retention_->start();
  prober_.start([this] { look_at_backlog(); });
  metrics_.gauge<SpokeMetric::queue_limit>("apply_bytes")
      .set(static_cast<double>(limits::kDeliverWindowBytes));
  metrics_.gauge<SpokeMetric::queue_limit>("link_frames").set(kUnsentFrames);
  update_metrics();
  log_.info("spoke_started", {{"spoke", config_.name}, {"hub", names.front()}});
  return {};
}

void SpokeProgram::start_http() {
  HttpServer::Routes routes;
  routes.metrics = [this] { return metrics_.prometheus_text(); };
  routes.healthz = [this] { return health(); };
  routes.readyz = [this] { return readiness(); };
  http_ = std::make_unique<HttpServer>(std::move(routes));
}

Health SpokeProgram::health() const {
  Micros now = system_clock().monotonic_us();
  for (Micros last : {origin_->last_round_us(), destination_->last_round_us()})
    if (last != 0 && now - last > kLoopStuck)
      return {false,
              "a loop has made no progress for " + std::to_string((now - last) / kSecond) +
                  " s: the database may be hanging, or waiting for a lock: see pg_stat_activity "
                  "there; if it is idle, restart this agent, which loses nothing"};
  return {true, "both loops make progress"};
}

Health SpokeProgram::readiness() const {
  OriginStatus up = origin_->status();
  DestinationStatus down = destination_->status();
  auto why = [this](const std::string& trouble) {
    return trouble.empty() ? "still connecting to " + hub_label() : trouble;
  };
  if (!up.attached) return {false, "not forwarding: " + why(up.trouble)};
  if (!down.attached) return {false, "not applying: " + why(down.trouble)};
  return {true, "attached to hub " + up.hub};
}

std::string SpokeProgram::hub_label() const {
  const RemoteHub& first = config_.hubs.front();
  return "hub " + first.name + " at " + first.endpoint.text();
}

void SpokeProgram::observe(const OriginNotice& notice) {
  using Kind = OriginNotice::Kind;
  switch (notice.kind) {
    case Kind::database_open:
      log_.info("outbox_open", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::database_lost:
      log_.warn("outbox_lost", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::attached:
      log_.info("forwarding", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::link_lost:
      log_.warn("forward_link_lost", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::captured:
      metrics_.counter<SpokeMetric::transactions_captured>().add(notice.transactions);
      metrics_.counter<SpokeMetric::bytes_captured>().add(notice.bytes);
      metrics_.histogram<SpokeMetric::capture_tick_seconds>().observe(seconds(notice.latency_us));
      break;
    case Kind::forwarded:
      metrics_.counter<SpokeMetric::transactions_forwarded>().add(notice.transactions);
      metrics_.counter<SpokeMetric::bytes_forwarded>().add(notice.bytes);
      break;
    case Kind::journaled:
      metrics_.counter<SpokeMetric::transactions_journaled>().add(notice.transactions);
      observe_ages(&metrics_.histogram<SpokeMetric::commit_to_journaled_seconds>(),
                   notice.sent_at_us);
      break;
    case Kind::rejected:
      metrics_.counter<SpokeMetric::transactions_rejected>(notice.reason).add();
      metrics_.counter<SpokeMetric::bytes_rejected>().add(notice.bytes);
      log_.warn("transaction_rejected", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::receipts:
      metrics_.counter<SpokeMetric::receipts_written>().add(notice.transactions);
      break;
    case Kind::epoch_began:
      log_.warn("epoch_began", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::stalled:
      log_.error("forward_stalled", {{"spoke", config_.name}, {"text", notice.text}});
      break;
  }
}

void SpokeProgram::observe(const DestinationNotice& notice) {
  using Kind = DestinationNotice::Kind;
  switch (notice.kind) {
    case Kind::database_open:
      log_.info("inbox_open", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::database_lost:
      log_.warn("inbox_lost", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::attached:
      log_.info("applying", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::link_lost:
      log_.warn("deliver_link_lost", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::applied:
      metrics_.counter<SpokeMetric::transactions_applied>().add(notice.transactions);
      metrics_.counter<SpokeMetric::bytes_applied>().add(notice.bytes);
      metrics_.histogram<SpokeMetric::apply_group_transactions>().observe(
          static_cast<double>(notice.transactions));
      observe_ages(&metrics_.histogram<SpokeMetric::commit_to_applied_seconds>(),
                   notice.sent_at_us);
      break;
    case Kind::duplicate:
      metrics_.counter<SpokeMetric::transactions_duplicate>().add(notice.transactions);
      break;
    case Kind::dead_letter:
      metrics_.counter<SpokeMetric::transactions_dead_letter>().add(notice.transactions);
      metrics_.counter<SpokeMetric::bytes_dead_letter>().add(notice.bytes);
      log_.error("dead_letter", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::gap:
      log_.error("gap", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::restarted:
      log_.warn("delivery_restarted", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::narrowed:
      log_.warn("subscription_narrowed", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::stalled:
      log_.error("apply_stalled", {{"spoke", config_.name}, {"text", notice.text}});
      break;
  }
}

void SpokeProgram::observe(const RetentionNotice& notice) {
  using Kind = RetentionNotice::Kind;
  switch (notice.kind) {
    case Kind::failed:
      log_.warn("retention_failed", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::clock_jumped:
      log_.warn("retention_waits", {{"spoke", config_.name}, {"text", notice.text}});
      break;
    case Kind::held_back:
      log_.warn("retention_held_back", {{"spoke", config_.name}, {"text", notice.text}});
      break;
  }
}

// A database that does not answer is the loops' to report; the last answer stands.
void SpokeProgram::look_at_backlog() {
  for (prober_.sleep(kLookEvery); !prober_.asked_to_end(); prober_.sleep(kLookEvery)) {
    OriginStatus up = origin_->status();
    if (!up.database_open) continue;
    Result<Backlog> seen = probe_.look(!keeps_up(up), up.epoch, up.journaled);
    if (!seen) continue;
    std::lock_guard lock(backlog_mutex_);
    backlog_ = *seen;
  }
}

void SpokeProgram::update_metrics() {
  OriginStatus up = origin_->status();
  DestinationStatus down = destination_->status();
  metrics_.gauge<SpokeMetric::window_bytes>().set(static_cast<double>(up.in_flight_bytes));
  metrics_.gauge<SpokeMetric::window_limit_bytes>().set(static_cast<double>(up.window_bytes));
  metrics_.gauge<SpokeMetric::held_back>().set(static_cast<double>(down.held_back));
  metrics_.gauge<SpokeMetric::retention_held_back>().set(retention_->held_back() ? 1 : 0);
  metrics_.gauge<SpokeMetric::queue_depth>("apply_bytes")
      .set(static_cast<double>(down.queued_bytes));
  for (const RemoteHub& hub : config_.hubs)
    metrics_.gauge<SpokeMetric::connected>(hub.name).set(
        up.attached && down.attached && up.hub == hub.name ? 1 : 0);
  if (Result<CertificateInfo> own = check_certificate_files(tls_paths(config_)); own)
    metrics_.gauge<SpokeMetric::certificate_expiry_timestamp_seconds>().set(
        static_cast<double>(own->not_after_s));
  update_lag(up, down);
  update_links(up, down);
}

// While forwarding keeps up, the core knows what is not journaled yet; else only the database does.
void SpokeProgram::update_lag(const OriginStatus& up, const DestinationStatus& down) {
  Backlog backlog;
  {
    std::lock_guard lock(backlog_mutex_);
    backlog = backlog_;
  }
  const std::int64_t now_us = system_clock().wall_us();
  std::uint64_t waiting = up.tip > up.journaled ? up.tip - up.journaled : 0;
  std::int64_t oldest_us = up.oldest_us;
  if (!keeps_up(up) && backlog.transactions >= waiting) {
    waiting = backlog.transactions;
    if (oldest_us == 0 || (backlog.oldest_us != 0 && backlog.oldest_us < oldest_us))
      oldest_us = backlog.oldest_us;
  }
  metrics_.gauge<SpokeMetric::outbox_waiting>().set(static_cast<double>(waiting));
  metrics_.gauge<SpokeMetric::forward_lag_seconds>().set(
      waiting == 0 ? 0 : seconds_between(oldest_us, now_us));
  metrics_.gauge<SpokeMetric::apply_lag_transactions>().set(
      static_cast<double>(down.queued_transactions));
  metrics_.gauge<SpokeMetric::apply_lag_seconds>().set(
      down.queued_transactions == 0 ? 0 : seconds_between(down.oldest_us, now_us));
  metrics_.gauge<SpokeMetric::gaps>().set(static_cast<double>(backlog.open_gaps));
  metrics_.gauge<SpokeMetric::dead_letters>().set(static_cast<double>(backlog.dead_letters));
}

void SpokeProgram::update_links(const OriginStatus& up, const DestinationStatus& down) {
  std::vector<LabelledValue> rtt, smoothed;
  std::size_t unsent = 0;
  auto add = [&](const std::string& hub, const char* name, const LinkStatus& link) {
    unsent = std::max(unsent, link.unsent_frames);
    if (link.rtt_us == 0) return;  // not measured yet
    rtt.push_back({{hub, name}, seconds(link.rtt_us)});
    smoothed.push_back({{hub, name}, seconds(link.rtt_smoothed_us)});
  };
  if (up.attached) add(up.hub, "forward", origin_->link_status());
  if (down.attached) add(down.hub, "deliver", destination_->link_status());
  metrics_.gauge<SpokeMetric::queue_depth>("link_frames").set(static_cast<double>(unsent));
  metrics_.replace<SpokeMetric::link_rtt_seconds>(std::move(rtt));
  metrics_.replace<SpokeMetric::link_rtt_smoothed_seconds>(std::move(smoothed));
}

}  // namespace oltp20::spoke
