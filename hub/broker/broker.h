// Broker: gives the hub's core its threads, links and journal.
//
// One thread runs the core; link threads, the journal's thread and the reader's post events to it
// through a bounded queue, whose fullness pushes back on them. Reads from the journal, which may
// wait for a disk, are served by a thread of their own.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <variant>

#include "common/base/bounded_queue.h"
#include "common/link/server.h"
#include "hub/core/hub_core.h"

namespace oltp20::hub {

struct BrokerOptions {
  std::string hub;
  // Called in the core's thread for what a person or a metric may want to know; must not block.
  std::function<void(const Notice&)> observe;
  // Which part of the journal may go; asked now and then in the core's thread. 0: nothing.
  std::function<Lsn()> retain;
};

class Broker final : public LinkHandler {
 public:
  Broker(BrokerOptions options, Journal& journal, std::shared_ptr<const Policy> policy);
  ~Broker() override;  // stop()

  // Before start(): the links over which it speaks. Not owned; must outlive stop().
  void use(LinkServer* links) { links_ = links; }
  void start();
  // The links must have been shut down.
  void stop();

  void change_policy(std::shared_ptr<const Policy> policy) { post(PolicyChanged{policy}); }
  void adopt(const std::string& origin, const Epoch& epoch) { post(EpochAdopted{origin, epoch}); }
  // Runs `look` in the core's thread and waits for it; false when the broker has stopped.
  bool inspect(std::function<void(const HubCore&)> look);
  std::size_t queue_depth() const { return events_.size(); }
  std::size_t queue_limit() const { return events_.limit(); }
  std::size_t reads_waiting() const { return reads_.size(); }
  std::size_t reads_limit() const { return reads_.limit(); }
  // When the core's thread last came round, monotonic: progress is health.
  Micros last_round_us() const { return last_round_us_; }

  void opened(LinkId link, LinkKind kind, const PeerInfo& peer) override;
  void received(LinkId link, ForwardUp frame) override;
  void received(LinkId link, DeliverUp frame) override;
  void closed(LinkId link, const Status& status) override;

 private:
  using Inspection = std::shared_ptr<std::packaged_task<void(const HubCore&)>>;
  using Work = std::variant<Event, Inspection>;
  using Read = std::variant<LookUpHash, ReadPages>;

  void post(Event event) { events_.push_wait(Work(std::move(event))); }
  void run_core();
  void run_reader();
  void carry_out(Actions actions);
  void housekeeping(Micros now);

  const BrokerOptions options_;
  Journal& journal_;
  LinkServer* links_ = nullptr;
  HubCore core_;
  BoundedQueue<Work> events_;
  BoundedQueue<Read> reads_;
  Micros recover_at_ = 0;  // 0: nothing to recover
  Micros retain_at_ = 0;
  std::atomic<Micros> last_round_us_{0};
  std::thread core_thread_, reader_thread_;
};

}  // namespace oltp20::hub
