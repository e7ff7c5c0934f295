// Mailbox: hands a loop's thread what link threads have for it, with a descriptor to poll beside a
// database's socket. Its content is bounded by whoever posts: a link hands over at most
// limits::kStreamInflight frames that were not consumed.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"

namespace oltp20::spoke {

template <typename T>
class Mailbox {
 public:
  Mailbox() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(event_ >= 0); }
  ~Mailbox() { close(event_); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread.
  void post(T item) {
    {
      MutexLock lock(mutex_);
      items_.push_back(std::move(item));
    }
    wake();
  }
  void wake() {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(event_, &one, sizeof(one));  // full: it is awake
  }

  // The loop's thread.
  std::deque<T> take() {
    MutexLock lock(mutex_);
    return std::exchange(items_, {});
  }
  // Waits until something is posted, `other` (-1: none) becomes readable, or `wait_us` have passed.
  void wait(int other, Micros wait_us) {
    pollfd fds[2] = {{event_, POLLIN, 0}, {other, POLLIN, 0}};
    timespec time{wait_us / kSecond, wait_us % kSecond * 1000};
    int ready = ppoll(fds, other >= 0 ? 2 : 1, &time, nullptr);
    std::uint64_t count = 0;
    if (ready > 0 && (fds[0].revents & POLLIN)) {
      [[maybe_unused]] ssize_t got = read(event_, &count, sizeof(count));
    }
  }

 private:
  const int event_;
  Mutex mutex_;
  std::deque<T> items_ OLTP20_GUARDED_BY(mutex_);
};

}  // namespace oltp20::spoke
