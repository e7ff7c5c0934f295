#include "hub/hub_program.h"

#include <algorithm>

#include "common/base/limits.h"
#include "hub/config/policy_file.h"
#include "hub/journal/rocksdb/rocksdb_journal.h"

namespace oltp20::hub {
namespace {

constexpr Micros kCoreStuck = 10 * kSecond;

double seconds(Micros us) {
  return static_cast<double>(us) / kSecond;
}

// Between two wall clocks, the first of them a peer's word: what cannot be counts as 0.
double seconds_between(std::int64_t from_us, std::int64_t to_us) {
  return from_us > 0 && from_us < to_us ? seconds(to_us - from_us) : 0;
}

// Names come from certificates; a peer without one must not fill the series with its ports.
std::string label_of(const std::string& who) {
  return who.find('/') == std::string::npos ? "unknown" : who;
}

const char* link_name(LinkKind kind) {
  return kind == LinkKind::forward ? "forward" : "deliver";
}

}  // namespace

TlsPaths tls_paths(const HubConfig& config) {
  return {config.tls.ca.string(), config.tls.cert.string(), config.tls.key.string(),
          config.tls.crl ? config.tls.crl->string() : ""};
}

Result<CertificateInfo> check_hub(const HubConfig& config) {
  Result<CertificateInfo> own = check_certificate_files(tls_paths(config));
  if (!own) return own;
  if (own->identity.kind != Identity::Kind::hub || own->identity.name != config.name)
    return Status(Code::denied, "[hub] name is \"" + config.name + "\", but certificate " +
                                    config.tls.cert.string() + " says " + own->identity.label() +
                                    ": correct the name, or issue another with certs/issue");
  if (auto policy = load_policy(config.policy_file); !policy) return policy.status();
  return own;
}

HubProgram::HubProgram(HubConfig config, Log& log, bool restored)
    : config_(std::move(config)), restored_(restored), log_(log) {}

HubProgram::~HubProgram() {
  if (http_) http_->stop();
  if (links_) links_->shutdown(3 * kSecond);
  if (broker_) broker_->stop();
}

Status HubProgram::start() {
  Result<CertificateInfo> own = check_hub(config_);
  if (!own) return own.status();
  auto policy = load_policy(config_.policy_file);
  if (!policy) return policy.status();

  SecureRandom random;
  RocksJournalOptions journal;
  journal.directory = config_.data_dir.string();
  journal.hub = config_.name;
  journal.restored = restored_;
  journal.on_commit = [this, &fsync = metrics_.histogram<HubMetric::fsync_seconds>()](
                          std::size_t, std::size_t bytes, Micros fsync_us) {
    appended_bytes_ += bytes;
    fsync.observe(seconds(fsync_us));
  };
  auto opened = open_rocksdb_journal(std::move(journal), random);
  if (!opened) return opened.status();
  journal_ = std::move(*opened);
  JournalInfo info = journal_->info();
  if (!info.loss.empty()) log_.error("journal_loss", {{"what", info.loss}});
  if (restored_)
    log_.warn("journal_restored",
              {{"incarnation", to_hex(info.incarnation)},
               {"parent_lsn", info.parent.lsn},
               {"text", "a new incarnation begins; start the hub without --restored from now on"}});
  Result<RetentionLedger> ledger = survey(*journal_);
  if (!ledger) return ledger.status();
  ledger_ = std::move(*ledger);
  wall_clock_.emplace(config_.horizon_hours * 3600 * kSecond, ledger_.newest_us(),
                      ledger_.longest_pause_us());

  BrokerOptions options;
  options.hub = config_.name;
  options.observe = [this](const Notice& notice) { observe(notice); };
  options.retain = [this] { return retain(); };
  broker_ = std::make_unique<Broker>(std::move(options), *journal_, *policy);
  AdminOptions admin;
  admin.hub = config_.name;
  admin.region = own->identity.region;
  admin.version = OLTP20_VERSION;
  admin.data_dir = config_.data_dir.string();
  admin.certificate = [this] { return check_certificate_files(tls_paths(config_)); };
  admin.reload = [this] { return reload(); };
  admin.denied = [this](const Identity& who) { denied(who.label(), "admin"); };
  admin_ = std::make_unique<HubAdmin>(std::move(admin), *broker_, *journal_);

  LinkServerOptions links;
  links.listen = config_.listen.text();
  links.tls = tls_paths(config_);
  links.trust_domain = own->identity.trust_domain;
  links.refused = [this](const std::string& who, const std::string& reason) {
    denied(who, "link");
    log_.warn("link_refused", {{"who", who}, {"reason", reason}});
  };
  auto server = LinkServer::start(std::move(links), broker_.get(), admin_.get());
  if (!server) return server.status();
  links_ = std::move(*server);
  broker_->use(links_.get());
  broker_->start();
  journal_fails("");
  metrics_.gauge<HubMetric::journal_limit_bytes>().set(
      static_cast<double>(config_.journal_max_bytes));
  metrics_.gauge<HubMetric::queue_limit>("core").set(static_cast<double>(broker_->queue_limit()));
  metrics_.gauge<HubMetric::queue_limit>("reads").set(static_cast<double>(broker_->reads_limit()));
  metrics_.gauge<HubMetric::queue_limit>("ingest_bytes").set(limits::kGroupBytes);
  metrics_.gauge<HubMetric::queue_limit>("link_frames").set(kUnsentFrames);
  update_metrics();
  if (config_.http_listen) {
    start_http();
    OLTP20_TRY(http_->start(*config_.http_listen));
  }
  log_.info("hub_started", {{"hub", config_.name},
                            {"listen", links_->address()},
                            {"incarnation", to_hex(info.incarnation)},
                            {"head_lsn", info.head.lsn}});
  return {};
}

void HubProgram::start_http() {
  HttpServer::Routes routes;
  routes.metrics = [this] { return metrics_.prometheus_text(); };
  routes.healthz = [this] { return health(); };
  routes.readyz = [this] { return readiness(); };
  http_ = std::make_unique<HttpServer>(std::move(routes));
}

Health HubProgram::health() const {
  Micros last = broker_->last_round_us();
  Micros silent = system_clock().monotonic_us() - last;
  if (last == 0 || silent < kCoreStuck) return {true, "the core makes progress"};
  return {false, "the core has made no progress for " + std::to_string(silent / kSecond) +
                     " s: restart the hub; nothing that it acknowledged is lost"};
}

Health HubProgram::readiness() const {
  Health health = this->health();
  if (!health.good) return health;
  std::lock_guard lock(fault_mutex_);
  if (!journal_fault_.empty())
    return {false, "the journal in " + config_.data_dir.string() +
                       " does not take writes: " + journal_fault_ +
                       "; free space there, or mend the disk: it tries again each second, and what "
                       "it refuses waits in the outboxes"};
  return {true, "taking transactions"};
}

void HubProgram::journal_fails(const std::string& fault) {
  std::lock_guard lock(fault_mutex_);
  journal_fault_ = fault;
  metrics_.gauge<HubMetric::journal_writable>().set(fault.empty() ? 1 : 0);
}

void HubProgram::denied(const std::string& who, const std::string& reason) {
  metrics_.counter<HubMetric::denied>(label_of(who), reason).add();
}

void HubProgram::observe(const Notice& notice) {
  switch (notice.kind) {
    case Notice::Kind::attached:
      log_.info("spoke_attached",
                {{"who", notice.who}, {"link", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::detached:
      log_.info("spoke_detached",
                {{"who", notice.who}, {"link", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::link_refused:
      if (notice.reason == code_name(Code::denied)) denied(notice.who, notice.reason);
      log_.warn("link_ended",
                {{"who", notice.who}, {"reason", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::received:
      metrics_.counter<HubMetric::transactions_received>().add(notice.transactions);
      metrics_.counter<HubMetric::bytes_received>().add(notice.bytes);
      break;
    case Notice::Kind::discarded:
      metrics_.counter<HubMetric::transactions_discarded>().add(notice.transactions);
      break;
    case Notice::Kind::transaction_refused:
      metrics_.counter<HubMetric::transactions_rejected>().add(notice.transactions);
      metrics_.counter<HubMetric::bytes_rejected>().add(notice.bytes);
      denied(notice.who, notice.reason);
      log_.warn("transaction_refused",
                {{"who", notice.who}, {"reason", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::journaled:
      observe_durable(notice);
      break;
    case Notice::Kind::journal_failed:
      journal_fails(notice.text);
      log_.error("journal_failed", {{"reason", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::journal_recovered:
      journal_fails("");
      log_.info("journal_recovered", {{"text", notice.text}});
      break;
    case Notice::Kind::delivered:
      metrics_.counter<HubMetric::transactions_delivered>().add(notice.transactions);
      metrics_.counter<HubMetric::bytes_delivered>().add(notice.bytes);
      break;
    case Notice::Kind::confirmed:
      metrics_.histogram<HubMetric::hop_seconds>("hub_to_destination")
          .observe(seconds(notice.latency_us), notice.transactions);
      break;
    case Notice::Kind::narrowed:
    case Notice::Kind::restarted:
      log_.warn("spoke_" + notice.reason, {{"who", notice.who}, {"text", notice.text}});
      break;
  }
}

void HubProgram::observe_durable(const Notice& notice) {
  metrics_.counter<HubMetric::transactions_journaled>().add(notice.transactions);
  metrics_.counter<HubMetric::bytes_journaled>().add(notice.bytes);
  metrics_.histogram<HubMetric::group_transactions>().observe(
      static_cast<double>(notice.transactions));
  Histogram& whole = metrics_.histogram<HubMetric::commit_to_journaled_seconds>();
  Histogram& link = metrics_.histogram<HubMetric::hop_seconds>("origin_to_hub");
  Histogram& journal = metrics_.histogram<HubMetric::hop_seconds>("hub_journal");
  for (const TransactionTimes& times : notice.times) {
    journal.observe(seconds(times.journal_us));
    if (times.sent_at_us == 0) continue;  // a tombstone
    double before = seconds_between(times.sent_at_us, times.received_us);
    link.observe(before);
    whole.observe(before + seconds(times.journal_us));
  }
}

Status HubProgram::reload() {
  auto policy = load_policy(config_.policy_file);
  Status status = policy ? links_->reload() : policy.status();
  if (!status) {
    std::string text = status.message() + "\nnothing was changed: the old policy and revocation " +
                       "list stay in force; correct this and reload again";
    log_.error("reload_failed", {{"text", text}});
    return Status(status.code(), text);
  }
  broker_->change_policy(*policy);
  log_.info("reloaded", {{"rules", (*policy)->rules().size()}});
  return {};
}

Lsn HubProgram::retain() {
  JournalInfo info = journal_->info();
  Micros wall = system_clock().wall_us();
  ledger_.trimmed(info.first_lsn - 1);
  if (std::uint64_t bytes = appended_bytes_.exchange(0); bytes != 0)
    ledger_.add(info.head.lsn, wall, bytes);
  RetentionLimits limits{config_.horizon_hours * 3600 * kSecond, config_.journal_max_bytes};
  const bool steady = wall_clock_->steady(wall, system_clock().monotonic_us());
  if (!steady) ledger_.redate(wall);
  RetentionDecision decision = ledger_.decide(wall, steady, limits);
  if (!decision.sentence.empty() && decision.sentence != retention_sentence_)
    log_.warn("retention", {{"text", decision.sentence}, {"forced", decision.forced}});
  retention_sentence_ = decision.sentence;
  if (decision.upto != 0)
    log_.info("trim", {{"from_lsn", info.first_lsn},
                       {"to_lsn", decision.upto},
                       {"youngest_hours", decision.youngest_age_us / (3600 * kSecond)}});
  return decision.upto;
}

void HubProgram::update_metrics() {
  JournalInfo info = journal_->info();
  metrics_.gauge<HubMetric::journal_bytes>().set(static_cast<double>(info.bytes));
  metrics_.gauge<HubMetric::head_lsn>().set(static_cast<double>(info.head.lsn));
  if (Result<CertificateInfo> own = check_certificate_files(tls_paths(config_)); own)
    metrics_.gauge<HubMetric::certificate_expiry_timestamp_seconds>().set(
        static_cast<double>(own->not_after_s));
  update_spokes();
}

// What belongs to spokes that come and go is given whole each time.
void HubProgram::update_spokes() {
  std::vector<SessionStatus> sessions;
  std::vector<DepartedStatus> away;
  IngestStatus ingest;
  ReceiptsStatus receipts;
  broker_->inspect([&](const HubCore& core) {
    sessions = core.delivery().status();
    away = core.delivery().departed();
    ingest = core.ingest().status();
    receipts = core.receipts().status();
  });
  metrics_.gauge<HubMetric::receipts_kept>().set(static_cast<double>(receipts.kept));
  metrics_.gauge<HubMetric::receipts_limit>().set(static_cast<double>(limits::kReceiptsKept));
  metrics_.counter<HubMetric::receipts_dropped>().add(
      receipts.dropped - std::exchange(receipts_dropped_, receipts.dropped));
  metrics_.gauge<HubMetric::sessions>("forward").set(static_cast<double>(ingest.sessions));
  metrics_.gauge<HubMetric::sessions>("deliver").set(static_cast<double>(sessions.size()));
  std::vector<LabelledValue> attached, transactions, age, window, limit;
  const std::int64_t now_us = system_clock().wall_us();
  auto lag = [&](const std::string& spoke, const Lag& lag) {
    transactions.push_back({{spoke}, static_cast<double>(lag.transactions)});
    if (lag.transactions == 0 || lag.oldest_us != 0)
      age.push_back({{spoke}, seconds_between(lag.oldest_us, now_us)});
  };
  for (const SessionStatus& session : sessions) {
    const std::string& spoke = session.peer.name;
    attached.push_back({{spoke}, 1});
    lag(spoke, session.lag);
    window.push_back({{spoke}, static_cast<double>(session.in_flight_bytes)});
    limit.push_back({{spoke}, static_cast<double>(session.window_bytes)});
  }
  for (const DepartedStatus& one : away) {
    attached.push_back({{one.name}, 0});
    lag(one.name, one.lag);
  }
  metrics_.replace<HubMetric::spoke_attached>(std::move(attached));
  metrics_.replace<HubMetric::spoke_lag_transactions>(std::move(transactions));
  metrics_.replace<HubMetric::spoke_lag_seconds>(std::move(age));
  metrics_.replace<HubMetric::spoke_window_bytes>(std::move(window));
  metrics_.replace<HubMetric::spoke_window_limit_bytes>(std::move(limit));
  update_queues(ingest.pending_bytes);
}

void HubProgram::update_queues(std::uint64_t ingest_bytes) {
  auto depth = [&](const char* queue, std::size_t items) {
    metrics_.gauge<HubMetric::queue_depth>(queue).set(static_cast<double>(items));
  };
  depth("core", broker_->queue_depth());
  depth("reads", broker_->reads_waiting());
  depth("ingest_bytes", ingest_bytes);
  std::vector<LabelledValue> rtt, smoothed;
  std::size_t unsent = 0;
  for (const LinkServer::Attached& link : links_->links()) {
    unsent = std::max(unsent, link.status.unsent_frames);
    if (link.status.rtt_us == 0) continue;  // not measured yet
    std::array<std::string, kMostLabels> labels = {link.peer.identity.label(),
                                                   link_name(link.kind)};
    rtt.push_back({labels, seconds(link.status.rtt_us)});
    smoothed.push_back({labels, seconds(link.status.rtt_smoothed_us)});
  }
  depth("link_frames", unsent);
  metrics_.replace<HubMetric::link_rtt_seconds>(std::move(rtt));
  metrics_.replace<HubMetric::link_rtt_smoothed_seconds>(std::move(smoothed));
}

}  // namespace oltp20::hub
