#include "spoke/agent/origin_loop.h"

#include <algorithm>

#include "common/base/overloaded.h"

namespace oltp20::spoke {
namespace {

constexpr Micros kLongestWait = kSecond;

Now time_now() {
  return {system_clock().monotonic_us(), system_clock().wall_us()};
}

}  // namespace

class OriginLoop::Handler final : public ForwardClient::Handler {
 public:
  Handler(Mailbox<Posted>* mailbox, std::uint64_t link) : mailbox_(mailbox), link_(link) {}
  void opened() override { mailbox_->post({link_, Opened{}}); }
  void received(ForwardDown frame) override { mailbox_->post({link_, std::move(frame)}); }
  void closed(const Status& status) override { mailbox_->post({link_, Closed{status}}); }

 private:
  Mailbox<Posted>* const mailbox_;
  const std::uint64_t link_;
};

OriginLoop::OriginLoop(OriginLoopOptions options, std::unique_ptr<PgOutbox> outbox)
    : options_(std::move(options)),
      outbox_(std::move(outbox)),
      origin_({options_.spoke, options_.hubs.size()}, *outbox_, random_) {}

OriginLoop::~OriginLoop() {
  stop();
}

void OriginLoop::start() {
  thread_.start([this] { run(); });
}

void OriginLoop::ask_to_stop() {
  thread_.ask_to_end();
  mailbox_.wake();
}

void OriginLoop::stop() {
  ask_to_stop();
  thread_.join([this] { outbox_->cancel(); });
}

OriginStatus OriginLoop::status() const {
  MutexLock lock(status_mutex_);
  return status_;
}

LinkStatus OriginLoop::link_status() const {
  MutexLock lock(status_mutex_);
  return link_status_;
}

// Whether the database is open.
bool OriginLoop::publish_status() {
  OriginStatus status = origin_.status();
  const bool database_open = status.database_open;
  LinkStatus link = client_ ? client_->status() : LinkStatus{};
  MutexLock lock(status_mutex_);
  status_ = std::move(status);
  link_status_ = link;
  return database_open;
}

void OriginLoop::run() {
  while (!thread_.asked_to_end()) {
    Now now = time_now();
    last_round_us_ = now.monotonic;
    OriginActions actions;
    take_events(now, &actions);
    if (origin_.status().database_open && outbox_->take_notification()) origin_.woken(now);
    bool more = origin_.work(now, &actions);
    bool acted = !actions.empty();
    carry_out(std::move(actions));
    const bool database_open = publish_status();
    if (more || acted) continue;
    Micros wait = std::clamp<Micros>(origin_.wake_at() - now.monotonic, 0, kLongestWait);
    mailbox_.wait(database_open ? outbox_->notification_socket() : -1, wait);
  }
  origin_.stop();
  client_.reset();
}

void OriginLoop::take_events(Now now, OriginActions* out) {
  std::size_t frames = 0;
  for (Posted& posted : mailbox_.take()) {
    if (posted.link != link_ || !client_) continue;
    std::visit(Overloaded{
                   [&](Opened&) { origin_.link_opened(now, out); },
                   [&](ForwardDown& frame) {
                     ++frames;
                     origin_.link_received(std::move(frame), now, out);
                   },
                   [&](Closed& closed) {
                     origin_.link_closed(closed.status, now, out);
                     client_.reset();
                   },
               },
               posted.event);
  }
  if (client_ && frames > 0) client_->consumed(frames);
}

void OriginLoop::carry_out(OriginActions actions) {
  for (OriginAction& action : actions)
    std::visit(Overloaded{
                   [&](ConnectForward& a) { connect(a.hub); },
                   [&](SendUp& a) {
                     if (client_) client_->send(std::move(a.frame));
                   },
                   [&](DisconnectForward&) { client_.reset(); },
                   [&](OriginNotice& a) {
                     if (options_.observe) options_.observe(a);
                   },
               },
               action);
}

void OriginLoop::connect(std::size_t hub) {
  client_.reset();
  handler_ = std::make_unique<Handler>(&mailbox_, ++link_);
  client_ = ForwardClient::start(options_.hubs[hub], handler_.get());
}

}  // namespace oltp20::spoke
