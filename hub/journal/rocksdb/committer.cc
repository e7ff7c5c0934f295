#include "hub/journal/rocksdb/committer.h"

#include "common/base/check.h"

namespace oltp20::hub {

Committer::Committer(std::size_t limit, Commit commit, std::function<void()> idle, Micros idle_us)
    : limit_(limit),
      commit_(std::move(commit)),
      idle_(std::move(idle)),
      idle_us_(idle_us),
      thread_([this] { run(); }) {}

Committer::~Committer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Committer::submit(Group group, Journal::Done done) {
  {
    MutexLock lock(mutex_);
    CHECK(!stopping_);
    Item item{.group = std::nullopt, .done = std::move(done)};
    if (queue_.size() < limit_) item.group = std::move(group);
    queue_.push_back(std::move(item));
  }
  work_.notify_one();
}

void Committer::wait_idle() {
  CHECK(std::this_thread::get_id() != thread_.get_id());
  MutexLock lock(mutex_);
  while (!queue_.empty() || busy_) idle_now_.wait(mutex_);
}

void Committer::run() {
  MutexLock lock(mutex_);
  while (true) {
    const auto deadline = steady_in(idle_us_);
    while (!stopping_ && queue_.empty() && work_.wait_until(mutex_, deadline)) {
    }
    if (!stopping_ && queue_.empty()) {
      lock.unlock();
      idle_();
      lock.lock();
      continue;
    }
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    item.done(commit_(std::move(item.group)));
    lock.lock();
    busy_ = false;
    if (queue_.empty()) idle_now_.notify_all();
  }
}

}  // namespace oltp20::hub
