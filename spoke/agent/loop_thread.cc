#include "spoke/agent/loop_thread.h"

namespace oltp20::spoke {

void LoopThread::start(std::function<void()> loop) {
  thread_ = std::thread([this, loop = std::move(loop)] {
    loop();
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  });
}

void LoopThread::ask_to_end() {
  MutexLock lock(mutex_);
  if (!asked_) grace_ends_ = steady_in(kGrace);
  asked_ = true;
  changed_.notify_all();
}

void LoopThread::sleep(Micros us) {
  const auto until = steady_in(us);
  MutexLock lock(mutex_);
  while (!asked_ && changed_.wait_until(mutex_, until)) {
  }
}

void LoopThread::join(const std::function<void()>& cancel) {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    auto until = grace_ends_;
    while (!ended_) {
      if (changed_.wait_until(mutex_, until)) continue;
      lock.unlock();
      cancel();
      lock.lock();
      until = steady_in(kCancelEvery);
    }
  }
  thread_.join();
}

}  // namespace oltp20::spoke
