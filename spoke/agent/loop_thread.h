// LoopThread: a thread with a loop that is asked to end, and whose wait for a database is broken
// off when it does not. Owned and joined by one thread; asked_to_end() is for the loop.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace oltp20::spoke {

class LoopThread {
 public:
  // How long a statement may go on once the thread was asked to end.
  static constexpr Micros kGrace = 3 * kSecond;

  void start(std::function<void()> loop);
  void ask_to_end();
  bool asked_to_end() const { return asked_; }
  // Of the loop: waits, but not beyond the moment at which it is asked to end.
  void sleep(Micros us);
  // Waits for the end; when the grace is over it calls `cancel`, again and again, since the loop
  // may run further statements before it ends.
  void join(const std::function<void()>& cancel);

 private:
  static constexpr Micros kCancelEvery = 250 * kMillisecond;

  std::thread thread_;
  std::atomic<bool> asked_{false};
  Mutex mutex_;
  Condition changed_;  // asked_ or ended_
  bool ended_ OLTP20_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point grace_ends_ OLTP20_GUARDED_BY(mutex_);
};

}  // namespace oltp20::spoke
