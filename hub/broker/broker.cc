#include "hub/broker/broker.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/overloaded.h"

namespace oltp20::hub {
namespace {

constexpr Micros kTimer = 100 * kMillisecond;
constexpr Micros kRetainEvery = 10 * kSecond;

Now time_now() {
  return {system_clock().monotonic_us(), system_clock().wall_us()};
}

}  // namespace

Broker::Broker(BrokerOptions options, Journal& journal, std::shared_ptr<const Policy> policy)
    : options_(std::move(options)),
      journal_(journal),
      core_(options_.hub, journal.info(), journal.origins(), std::move(policy)),
      events_(limits::kCoreQueue),
      reads_(limits::kCoreQueue) {}

Broker::~Broker() {
  stop();
}

void Broker::start() {
  CHECK(links_ != nullptr);
  core_thread_ = std::thread([this] { run_core(); });
  reader_thread_ = std::thread([this] { run_reader(); });
}

void Broker::stop() {
  events_.close();
  reads_.close();
  if (core_thread_.joinable()) core_thread_.join();
  if (reader_thread_.joinable()) reader_thread_.join();
}

bool Broker::inspect(std::function<void(const HubCore&)> look) {
  auto task = std::make_shared<std::packaged_task<void(const HubCore&)>>(std::move(look));
  std::future<void> done = task->get_future();
  if (!events_.push_wait(Work(task))) return false;
  task.reset();
  try {
    done.get();
  } catch (const std::future_error&) {
    return false;  // it was still waiting when the broker stopped
  }
  return true;
}

void Broker::opened(LinkId link, LinkKind kind, const PeerInfo& peer) {
  post(LinkOpened{link, kind == LinkKind::forward, peer.identity, peer.address});
}

void Broker::received(LinkId link, ForwardUp frame) {
  post(ForwardReceived{link, std::move(frame)});
}

void Broker::received(LinkId link, DeliverUp frame) {
  post(DeliverReceived{link, std::move(frame)});
}

void Broker::closed(LinkId link, const Status&) {
  post(LinkClosed{link});
}

void Broker::run_core() {
  Micros timer_at = 0;
  while (!events_.closed()) {
    std::deque<Work> work = events_.take_all(kTimer);
    Now now = time_now();
    last_round_us_ = now.monotonic;
    Actions actions;
    for (Work& item : work) {
      if (auto* event = std::get_if<Event>(&item)) {
        core_.step(std::move(*event), now, &actions);
      } else {
        (*std::get<Inspection>(item))(core_);
      }
    }
    if (now.monotonic >= timer_at) {
      core_.step(TimePassed{}, now, &actions);
      housekeeping(now.monotonic);
      timer_at = now.monotonic + kTimer;
    }
    core_.flush(now, &actions);
    carry_out(std::move(actions));
  }
}

void Broker::run_reader() {
  while (!reads_.closed())
    for (Read& read : reads_.take_all(-1)) {
      if (auto* lookup = std::get_if<LookUpHash>(&read)) {
        post(HashFound{lookup->link, lookup->lsn, journal_.stream_hash_at(lookup->lsn)});
      } else {
        auto& pages = std::get<ReadPages>(read);
        post(PageFound{pages.link, journal_.read(pages.from, pages.max_bytes)});
      }
    }
}

void Broker::carry_out(Actions actions) {
  for (Action& action : actions)
    std::visit(Overloaded{
                   [&](SendForward& a) { links_->send(a.link, std::move(a.frame)); },
                   [&](SendDeliver& a) { links_->send(a.link, std::move(a.frame)); },
                   [&](Consumed& a) { links_->consumed(a.link, a.frames); },
                   [&](CloseLink& a) { links_->close(a.link, std::move(a.goodbye)); },
                   [&](AppendGroup& a) {
                     journal_.append(std::move(a.group),
                                     [this](Status status) { post(GroupDone{std::move(status)}); });
                   },
                   [&](RecoverJournal& a) { recover_at_ = a.not_before; },
                   [&](LookUpHash& a) { reads_.push_wait(a); },
                   [&](ReadPages& a) { reads_.push_wait(a); },
                   [&](Notice& a) {
                     if (options_.observe) options_.observe(a);
                   },
               },
               action);
}

// What must be asked of the journal by the thread that appends to it.
void Broker::housekeeping(Micros now) {
  if (recover_at_ != 0 && now >= recover_at_) {
    recover_at_ = 0;
    Status status = journal_.recover();
    Actions actions;
    core_.step(JournalRecovered{status, journal_.info(), journal_.origins()}, time_now(), &actions);
    carry_out(std::move(actions));
  }
  if (options_.retain && now >= retain_at_) {
    retain_at_ = now + kRetainEvery;
    Lsn upto = options_.retain();
    if (upto == 0 || !journal_.trim(upto).is_ok()) return;
    Actions actions;
    core_.step(JournalTrimmed{journal_.info().first_lsn}, time_now(), &actions);
    carry_out(std::move(actions));
  }
}

}  // namespace oltp20::hub
