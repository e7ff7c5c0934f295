#include "hub/hub_program.h"

#include "hub/config/policy_file.h"
#include "hub/journal/rocksdb/rocksdb_journal.h"

namespace oltp20::hub {
namespace {

constexpr Micros kCoreStuck = 10 * kSecond;

double seconds(Micros us) {
  return static_cast<double>(us) / kSecond;
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
  journal.on_commit = [this, &fsync = metrics_.histogram<HubMetric::fsync_seconds>(),
                       &group = metrics_.histogram<HubMetric::group_transactions>()](
                          std::size_t entries, std::size_t bytes, Micros fsync_us) {
    appended_bytes_ += bytes;
    fsync.observe(seconds(fsync_us));
    group.observe(static_cast<double>(entries));
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
  admin_ = std::make_unique<HubAdmin>(std::move(admin), *broker_, *journal_);

  LinkServerOptions links;
  links.listen = config_.listen.text();
  links.tls = tls_paths(config_);
  links.trust_domain = own->identity.trust_domain;
  links.refused = [this](const std::string& who, const std::string& reason) {
    metrics_.counter<HubMetric::denied>(who, "link").add();
    log_.warn("link_refused", {{"who", who}, {"reason", reason}});
  };
  auto server = LinkServer::start(std::move(links), broker_.get(), admin_.get());
  if (!server) return server.status();
  links_ = std::move(*server);
  broker_->use(links_.get());
  broker_->start();
  metrics_.gauge<HubMetric::journal_limit_bytes>().set(
      static_cast<double>(config_.journal_max_bytes));
  metrics_.gauge<HubMetric::queue_limit>("core").set(static_cast<double>(broker_->queue_limit()));
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
  return {false, "the core has made no progress for " + std::to_string(silent / kSecond) + " s"};
}

Health HubProgram::readiness() const {
  Health health = this->health();
  if (!health.good) return health;
  if (!journal_ok_) return {false, "the journal does not take writes; see the log"};
  return {true, "taking transactions"};
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
      if (notice.reason == code_name(Code::denied))
        metrics_.counter<HubMetric::denied>(notice.who, notice.reason).add();
      log_.warn("link_ended",
                {{"who", notice.who}, {"reason", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::transaction_refused:
      metrics_.counter<HubMetric::transactions_rejected>().add(notice.transactions);
      metrics_.counter<HubMetric::bytes_rejected>().add(notice.bytes);
      metrics_.counter<HubMetric::denied>(notice.who, notice.reason).add();
      log_.warn("transaction_refused",
                {{"who", notice.who}, {"reason", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::journaled:
      journal_ok_ = true;
      metrics_.counter<HubMetric::transactions_journaled>().add(notice.transactions);
      metrics_.counter<HubMetric::bytes_journaled>().add(notice.bytes);
      metrics_.histogram<HubMetric::received_to_journaled_seconds>().observe(
          seconds(notice.latency_us));
      break;
    case Notice::Kind::journal_failed:
      journal_ok_ = false;
      log_.error("journal_failed", {{"reason", notice.reason}, {"text", notice.text}});
      break;
    case Notice::Kind::journal_recovered:
      journal_ok_ = true;
      log_.info("journal_recovered", {{"text", notice.text}});
      break;
    case Notice::Kind::delivered:
      metrics_.counter<HubMetric::transactions_delivered>().add(notice.transactions);
      metrics_.counter<HubMetric::bytes_delivered>().add(notice.bytes);
      break;
    case Notice::Kind::narrowed:
    case Notice::Kind::restarted:
      log_.warn("spoke_" + notice.reason, {{"who", notice.who}, {"text", notice.text}});
      break;
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
  RetentionDecision decision =
      ledger_.decide(wall, wall_clock_.steady(wall, system_clock().monotonic_us()), limits);
  if (!decision.sentence.empty())
    log_.warn("retention", {{"text", decision.sentence}, {"forced", decision.forced}});
  return decision.upto;
}

void HubProgram::update_metrics() {
  JournalInfo info = journal_->info();
  metrics_.gauge<HubMetric::journal_bytes>().set(static_cast<double>(info.bytes));
  metrics_.gauge<HubMetric::head_lsn>().set(static_cast<double>(info.head.lsn));
  metrics_.gauge<HubMetric::queue_depth>("core").set(static_cast<double>(broker_->queue_depth()));
  if (Result<CertificateInfo> own = check_certificate_files(tls_paths(config_)); own)
    metrics_.gauge<HubMetric::certificate_expiry_timestamp_seconds>().set(
        static_cast<double>(own->not_after_s));
  std::vector<SessionStatus> sessions;
  std::size_t forward = 0;
  broker_->inspect([&](const HubCore& core) {
    sessions = core.delivery().status();
    forward = core.ingest().status().sessions;
  });
  metrics_.gauge<HubMetric::sessions>("forward").set(static_cast<double>(forward));
  metrics_.gauge<HubMetric::sessions>("deliver").set(static_cast<double>(sessions.size()));
  for (const SessionStatus& session : sessions) {
    Lsn lag = info.head.lsn > session.applied ? info.head.lsn - session.applied : 0;
    metrics_.gauge<HubMetric::spoke_lag_transactions>(session.peer.name)
        .set(static_cast<double>(lag));
    bool known = session.applied_received_us != 0;
    metrics_.gauge<HubMetric::spoke_lag_seconds>(session.peer.name)
        .set(lag == 0 || !known ? 0
                                : seconds(system_clock().wall_us() - session.applied_received_us));
  }
}

}  // namespace oltp20::hub
