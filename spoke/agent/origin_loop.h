// OriginLoop: the thread that captures and forwards. It runs the Origin core on the outbox's
// connection, and the forward link.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/mutex.h"
#include "common/link/client.h"
#include "spoke/agent/loop_thread.h"
#include "spoke/agent/mailbox.h"
#include "spoke/core/origin.h"
#include "spoke/database/pg_outbox.h"

namespace oltp20::spoke {

struct OriginLoopOptions {
  std::string spoke;
  std::vector<LinkClientOptions> hubs;
  // Called in the loop's thread; must not block.
  std::function<void(const OriginNotice&)> observe;
};

class OriginLoop {
 public:
  OriginLoop(OriginLoopOptions options, std::unique_ptr<PgOutbox> outbox);
  ~OriginLoop();  // stop()

  void start();
  // Does not wait; stop() does. It writes down how far the hub has confirmed, then ends; a
  // statement that keeps it from ending is cancelled.
  void ask_to_stop();
  void stop();
  // Any thread: as of the loop's last round.
  OriginStatus status() const;
  LinkStatus link_status() const;
  Micros last_round_us() const { return last_round_us_; }

 private:
  struct Opened {};
  struct Closed {
    Status status;
  };
  using Event = std::variant<Opened, ForwardDown, Closed>;
  // Events of a link that was given up are not the next one's.
  struct Posted {
    std::uint64_t link = 0;
    Event event;
  };
  class Handler;

  void run();
  bool publish_status();
  void take_events(Now now, OriginActions* out);
  void carry_out(OriginActions actions);
  void connect(std::size_t hub);

  const OriginLoopOptions options_;
  std::unique_ptr<PgOutbox> outbox_;
  SecureRandom random_;
  Origin origin_;
  Mailbox<Posted> mailbox_;
  std::uint64_t link_ = 0;
  std::unique_ptr<Handler> handler_;
  std::unique_ptr<ForwardClient> client_;
  std::atomic<Micros> last_round_us_{0};
  mutable Mutex status_mutex_;
  OriginStatus status_ OLTP20_GUARDED_BY(status_mutex_);
  LinkStatus link_status_ OLTP20_GUARDED_BY(status_mutex_);
  LoopThread thread_;
};

}  // namespace oltp20::spoke
