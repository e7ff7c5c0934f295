// Mutex, MutexLock, Condition: std's, with what clang's thread-safety analysis needs to know.
//
// State that several threads share says OLTP20_GUARDED_BY(mutex_), a private function that wants
// the lock held says OLTP20_REQUIRES(mutex_); the sanitizer builds, which clang compiles, then
// refuse code that forgets the lock. For g++ the annotations are nothing.
//
// Wait in a loop that tests the condition; the analysis does not see into predicates.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "common/base/clock.h"

#if defined(__clang__)
#define OLTP20_ANNOTATE(attribute) __attribute__((attribute))
#else
#define OLTP20_ANNOTATE(attribute)
#endif
#define OLTP20_GUARDED_BY(mutex) OLTP20_ANNOTATE(guarded_by(mutex))
#define OLTP20_REQUIRES(...) OLTP20_ANNOTATE(requires_capability(__VA_ARGS__))

namespace oltp20 {

class OLTP20_ANNOTATE(capability("mutex")) Mutex {
 public:
  void lock() OLTP20_ANNOTATE(acquire_capability()) { mutex_.lock(); }
  void unlock() OLTP20_ANNOTATE(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

// Holds the mutex from its construction on; may let it go for a while in between.
class OLTP20_ANNOTATE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) OLTP20_ANNOTATE(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() OLTP20_ANNOTATE(release_capability()) {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() OLTP20_ANNOTATE(release_capability()) {
    held_ = false;
    mutex_.unlock();
  }
  void lock() OLTP20_ANNOTATE(acquire_capability()) {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// Who waits holds the mutex before and after.
class Condition {
 public:
  void wait(Mutex& mutex) OLTP20_REQUIRES(mutex) {
    std::unique_lock held(mutex.mutex_, std::adopt_lock);
    changed_.wait(held);
    held.release();
  }
  // False when the time had passed.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline)
      OLTP20_REQUIRES(mutex) {
    std::unique_lock held(mutex.mutex_, std::adopt_lock);
    bool in_time = changed_.wait_until(held, deadline) == std::cv_status::no_timeout;
    held.release();
    return in_time;
  }
  void notify_one() { changed_.notify_one(); }
  void notify_all() { changed_.notify_all(); }

 private:
  std::condition_variable changed_;
};

inline std::chrono::steady_clock::time_point steady_in(Micros wait_us) {
  return std::chrono::steady_clock::now() + std::chrono::microseconds(wait_us);
}

}  // namespace oltp20
