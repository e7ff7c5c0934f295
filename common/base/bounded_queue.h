// A bounded queue of work between threads: many producers, one consumer.
//
// A full queue is never grown: push() says no (or waits, push_wait()), and the caller counts it and
// pushes back on whoever sends. close() wakes everybody; what is queued can still be taken.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/clock.h"

namespace oltp20 {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

  // False when the queue is full or closed.
  bool push(T item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= limit_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  // Waits for room; false only when the queue is closed.
  bool push_wait(T item) {
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [&] { return closed_ || items_.size() < limit_; });
      if (closed_) return false;
      items_.push_back(std::move(item));
    }
    ready_.notify_one();
    return true;
  }

  // Takes everything that is there, waiting up to `wait_us` for a first item (negative: for ever).
  std::deque<T> take_all(Micros wait_us) {
    std::unique_lock lock(mutex_);
    auto something = [&] { return closed_ || !items_.empty(); };
    if (wait_us < 0) {
      ready_.wait(lock, something);
    } else {
      ready_.wait_for(lock, std::chrono::microseconds(wait_us), something);
    }
    std::deque<T> out = std::exchange(items_, {});
    lock.unlock();
    room_.notify_all();
    return out;
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
    room_.notify_all();
  }
  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }
  std::size_t limit() const { return limit_; }

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable ready_, room_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace oltp20
