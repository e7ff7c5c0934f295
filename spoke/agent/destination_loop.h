// DestinationLoop: the thread that applies. It runs the Destination core on the inbox's connection,
// and the deliver link.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/mutex.h"
#include "common/link/client.h"
#include "spoke/agent/loop_thread.h"
#include "spoke/agent/mailbox.h"
#include "spoke/core/destination.h"
#include "spoke/database/pg_inbox.h"

namespace oltp20::spoke {

struct DestinationLoopOptions {
  DestinationOptions core;
  std::vector<LinkClientOptions> hubs;  // in the order of core.hubs
  // Called in the loop's thread; must not block.
  std::function<void(const DestinationNotice&)> observe;
};

class DestinationLoop {
 public:
  DestinationLoop(DestinationLoopOptions options, std::unique_ptr<PgInbox> inbox);
  ~DestinationLoop();  // stop()

  void start();
  // Does not wait; stop() does, and cancels a statement that keeps it from ending.
  void ask_to_stop();
  void stop();
  // Any thread: as of the loop's last round.
  DestinationStatus status() const;
  LinkStatus link_status() const;
  Micros last_round_us() const { return last_round_us_; }

 private:
  struct Opened {};
  struct Closed {
    Status status;
  };
  using Event = std::variant<Opened, DeliverDown, Closed>;
  // Events of a link that was given up are not the next one's.
  struct Posted {
    std::uint64_t link = 0;
    Event event;
  };
  class Handler;

  void run();
  bool publish_status();
  void look_at_database(Now now);
  void take_events(Now now, DestinationActions* out);
  void carry_out(DestinationActions actions);
  void connect(std::size_t hub);

  const DestinationLoopOptions options_;
  std::unique_ptr<PgInbox> inbox_;
  SecureRandom random_;
  Destination destination_;
  Mailbox<Posted> mailbox_;
  bool was_open_ = false, retry_letters_ = false;
  std::uint64_t link_ = 0;
  std::unique_ptr<Handler> handler_;
  std::unique_ptr<DeliverClient> client_;
  std::atomic<Micros> last_round_us_{0};
  mutable Mutex status_mutex_;
  DestinationStatus status_ OLTP20_GUARDED_BY(status_mutex_);
  LinkStatus link_status_ OLTP20_GUARDED_BY(status_mutex_);
  LoopThread thread_;
};

}  // namespace oltp20::spoke
