#include "spoke/agent/retention_loop.h"

namespace oltp20::spoke {
namespace {

constexpr Micros kEvery = 30 * kSecond;

}  // namespace

std::optional<std::string> HeldBack::tell(const RetentionReport& report, Micros monotonic_us) {
  if (!report.needs_person) return std::nullopt;
  const Micros pause = report.held_back == told_ ? kSame : kChanged;
  if (told_at_us_ && monotonic_us - *told_at_us_ < pause) return std::nullopt;
  told_ = report.held_back;
  told_at_us_ = monotonic_us;
  return told_;
}

RetentionLoop::RetentionLoop(RetentionLoopOptions options)
    : options_(std::move(options)), retention_({options_.url}, system_clock()) {}

RetentionLoop::~RetentionLoop() {
  stop();
}

void RetentionLoop::start() {
  thread_.start([this] { run(); });
}

void RetentionLoop::ask_to_stop() {
  thread_.ask_to_end();
}

void RetentionLoop::stop() {
  ask_to_stop();
  thread_.join([this] { retention_.cancel(); });
}

void RetentionLoop::run() {
  using Kind = RetentionNotice::Kind;
  for (thread_.sleep(kEvery); !thread_.asked_to_end(); thread_.sleep(kEvery)) {
    if (!options_.ready()) continue;
    Result<RetentionReport> report = retention_.run_once(options_.horizon_us);
    if (!report) {
      options_.observe({Kind::failed, report.status().message()});
      continue;
    }
    held_back_ = report->needs_person;
    if (report->clock_jumped)
      options_.observe({Kind::clock_jumped,
                        "the clock has jumped; what is in the outbox stays "
                        "until the horizon has passed once more"});
    if (auto text = told_.tell(*report, system_clock().monotonic_us()))
      options_.observe({Kind::held_back, *text});
  }
}

}  // namespace oltp20::spoke
