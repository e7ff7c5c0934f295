// A bounded queue of work between threads: many producers, one consumer.
//
// A full queue is never grown: push() says no (or waits, push_wait()), and the caller counts it and
// pushes back on whoever sends. close() wakes everybody; what is queued can still be taken.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "common/base/mutex.h"

namespace oltp20 {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

  // False when the queue is full or closed.
  bool push(T item) {
    {
      MutexLock lock(mutex_);
      if (closed_ || items_.size() >= limit_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  // Waits for room; false only when the queue is closed.
  bool push_wait(T item) {
    {
      MutexLock lock(mutex_);
      while (!closed_ && items_.size() >= limit_) room_.wait(mutex_);
      if (closed_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  // Takes everything that is there, waiting up to `wait_us` for a first item (negative: for ever).
  std::deque<T> take_all(Micros wait_us) {
    MutexLock lock(mutex_);
    if (wait_us < 0) {
      while (!closed_ && items_.empty()) ready_.wait(mutex_);
    } else {
      const auto deadline = steady_in(wait_us);
      while (!closed_ && items_.empty() && ready_.wait_until(mutex_, deadline)) {
      }
    }
    std::deque<T> out = std::exchange(items_, {});
    lock.unlock();
    room_.notify_all();
    return out;
  }

  void close() {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
    room_.notify_all();
  }
  bool closed() const {
    MutexLock lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    MutexLock lock(mutex_);
    return items_.size();
  }
  std::size_t limit() const { return limit_; }

 private:
  const std::size_t limit_;
  mutable Mutex mutex_;
  Condition ready_, room_;
  std::deque<T> items_ OLTP20_GUARDED_BY(mutex_);
  bool closed_ OLTP20_GUARDED_BY(mutex_) = false;
};

}  // namespace oltp20
