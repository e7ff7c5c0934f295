// Scheduler: virtual time. What happens next is what was asked for earliest; at the same moment, in
// the order of asking. Nothing else makes time pass, so one seed is one history.
#pragma once

#include <functional>
#include <queue>
#include <vector>

#include "common/base/clock.h"

namespace oltp20::sim {

class Scheduler {
 public:
  Micros now() const { return now_; }
  void at(Micros when, std::function<void()> what) {
    queue_.push({when > now_ ? when : now_, next_++, std::move(what)});
  }
  void after(Micros delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  // Runs everything up to and including `end`, or until `stop` says so.
  template <typename Stop>
  void run_until(Micros end, Stop stop) {
    while (!queue_.empty() && queue_.top().when <= end && !stop()) {
      Event event = std::move(const_cast<Event&>(queue_.top()));
      queue_.pop();
      now_ = event.when;
      ++events_;
      event.what();
    }
    if (!stop() && now_ < end) now_ = end;
  }
  std::uint64_t events() const { return events_; }

 private:
  struct Event {
    Micros when;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {  // the greatest is on top
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  std::priority_queue<Event> queue_;
  Micros now_ = kSecond;
  std::uint64_t next_ = 0, events_ = 0;
};

}  // namespace oltp20::sim
