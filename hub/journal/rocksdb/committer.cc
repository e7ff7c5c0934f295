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
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Committer::submit(Group group, Journal::Done done) {
  {
    std::lock_guard lock(mutex_);
    CHECK(!stopping_);
    Item item{.group = std::nullopt, .done = std::move(done)};
    if (queue_.size() < limit_) item.group = std::move(group);
    queue_.push_back(std::move(item));
  }
  work_.notify_one();
}

void Committer::wait_idle() {
  CHECK(std::this_thread::get_id() != thread_.get_id());
  std::unique_lock lock(mutex_);
  idle_now_.wait(lock, [&] { return queue_.empty() && !busy_; });
}

void Committer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    bool something = work_.wait_for(lock, std::chrono::microseconds(idle_us_),
                                    [&] { return stopping_ || !queue_.empty(); });
    if (!something) {
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
