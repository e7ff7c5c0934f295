#include "spoke/agent/destination_loop.h"

#include <algorithm>
#include <utility>

#include "common/base/overloaded.h"

namespace oltp20::spoke {
namespace {

constexpr Micros kLongestWait = kSecond;

Now time_now() {
  return {system_clock().monotonic_us(), system_clock().wall_us()};
}

}  // namespace

class DestinationLoop::Handler final : public DeliverClient::Handler {
 public:
  Handler(Mailbox<Posted>* mailbox, std::uint64_t link) : mailbox_(mailbox), link_(link) {}
  void opened() override { mailbox_->post({link_, Opened{}}); }
  void received(DeliverDown frame) override { mailbox_->post({link_, std::move(frame)}); }
  void closed(const Status& status) override { mailbox_->post({link_, Closed{status}}); }

 private:
  Mailbox<Posted>* const mailbox_;
  const std::uint64_t link_;
};

DestinationLoop::DestinationLoop(DestinationLoopOptions options, std::unique_ptr<PgInbox> inbox)
    : options_(std::move(options)),
      inbox_(std::move(inbox)),
      destination_(options_.core, *inbox_, random_) {}

DestinationLoop::~DestinationLoop() {
  stop();
}

void DestinationLoop::start() {
  thread_.start([this] { run(); });
}

void DestinationLoop::ask_to_stop() {
  thread_.ask_to_end();
  mailbox_.wake();
}

void DestinationLoop::stop() {
  ask_to_stop();
  thread_.join([this] { inbox_->cancel(); });
}

DestinationStatus DestinationLoop::status() const {
  MutexLock lock(status_mutex_);
  return status_;
}

LinkStatus DestinationLoop::link_status() const {
  MutexLock lock(status_mutex_);
  return link_status_;
}

// Whether the database is open.
bool DestinationLoop::publish_status() {
  DestinationStatus status = destination_.status();
  const bool database_open = status.database_open;
  LinkStatus link = client_ ? client_->status() : LinkStatus{};
  MutexLock lock(status_mutex_);
  status_ = std::move(status);
  link_status_ = link;
  return database_open;
}

void DestinationLoop::run() {
  while (!thread_.asked_to_end()) {
    Now now = time_now();
    last_round_us_ = now.monotonic;
    DestinationActions actions;
    take_events(now, &actions);
    look_at_database(now);
    bool more = destination_.work(now, &actions);
    bool acted = !actions.empty();
    carry_out(std::move(actions));
    const bool database_open = publish_status();
    if (more || acted) continue;
    Micros wait = std::clamp<Micros>(destination_.wake_at() - now.monotonic, 0, kLongestWait);
    mailbox_.wait(database_open ? inbox_->notification_socket() : -1, wait);
  }
  client_.reset();
}

// What an operator did: at once when told, and whenever the database was opened.
void DestinationLoop::look_at_database(Now now) {
  const bool open = destination_.status().database_open;
  if (!open || !std::exchange(was_open_, open)) retry_letters_ = true;
  was_open_ = open;
  if (!open) return;
  if (inbox_->take_notification()) {
    destination_.database_changed(now);
    retry_letters_ = true;
  }
  if (!retry_letters_) return;
  Result<bool> retried = inbox_->retry_dead_letters();
  retry_letters_ = retried && !*retried;
}

void DestinationLoop::take_events(Now now, DestinationActions* out) {
  std::size_t frames = 0;
  for (Posted& posted : mailbox_.take()) {
    if (posted.link != link_ || !client_) continue;
    std::visit(Overloaded{
                   [&](Opened&) { destination_.link_opened(now, out); },
                   [&](DeliverDown& frame) {
                     ++frames;
                     destination_.link_received(std::move(frame), now, out);
                   },
                   [&](Closed& closed) {
                     destination_.link_closed(closed.status, now, out);
                     client_.reset();
                   },
               },
               posted.event);
  }
  if (client_ && frames > 0) client_->consumed(frames);
  if (frames > 0) publish_status();  // the database may take long now; what came waits
}

void DestinationLoop::carry_out(DestinationActions actions) {
  for (DestinationAction& action : actions)
    std::visit(Overloaded{
                   [&](ConnectDeliver& a) { connect(a.hub); },
                   [&](SendDown& a) {
                     if (client_) client_->send(std::move(a.frame));
                   },
                   [&](DisconnectDeliver&) { client_.reset(); },
                   [&](DestinationNotice& a) {
                     if (options_.observe) options_.observe(a);
                   },
               },
               action);
}

void DestinationLoop::connect(std::size_t hub) {
  client_.reset();
  handler_ = std::make_unique<Handler>(&mailbox_, ++link_);
  client_ = DeliverClient::start(options_.hubs[hub], handler_.get());
}

}  // namespace oltp20::spoke
