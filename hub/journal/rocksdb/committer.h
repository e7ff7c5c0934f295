// Committer: the thread that makes groups durable, one after the other, and calls them back.
//
// What to do with a group is the owner's (`commit`); the committer owns the queue, its bound and
// the order of completion. Threads: submit() and wait_idle() from any thread but its own.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <thread>

#include "common/base/mutex.h"
#include "hub/journal/journal.h"

namespace oltp20::hub {

class Committer {
 public:
  // `group` is nullopt when the queue was full: commit() then only says how that fails.
  using Commit = std::function<Status(std::optional<Group> group)>;
  // `idle` is called when nothing came for `idle_us`.
  Committer(std::size_t limit, Commit commit, std::function<void()> idle, Micros idle_us);
  // Completes what is queued.
  ~Committer();

  void submit(Group group, Journal::Done done);
  // Until every group submitted so far has been called back.
  void wait_idle();

 private:
  struct Item {
    std::optional<Group> group;
    Journal::Done done;
  };

  void run();

  const std::size_t limit_;
  const Commit commit_;
  const std::function<void()> idle_;
  const Micros idle_us_;
  Mutex mutex_;
  Condition work_, idle_now_;
  std::deque<Item> queue_ OLTP20_GUARDED_BY(mutex_);
  bool busy_ OLTP20_GUARDED_BY(mutex_) = false;
  bool stopping_ OLTP20_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace oltp20::hub
