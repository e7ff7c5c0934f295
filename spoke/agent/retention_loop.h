// RetentionLoop: the thread that keeps the outbox from growing for ever. In a thread of its own,
// since it waits for locks.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "spoke/agent/loop_thread.h"
#include "spoke/database/retention.h"

namespace oltp20::spoke {

// When a person is told that retention is held back: at once, when the reason changes, though no
// more than once in ten minutes, and once an hour while it lasts.
class HeldBack {
 public:
  static constexpr Micros kChanged = 600 * kSecond;
  static constexpr Micros kSame = 3600 * kSecond;

  // What to tell after this run, if anything.
  std::optional<std::string> tell(const RetentionReport& report, Micros monotonic_us);

 private:
  std::string told_;  // last, and when
  std::optional<Micros> told_at_us_;
};

struct RetentionNotice {
  enum class Kind { failed, clock_jumped, held_back };
  Kind kind;
  std::string text;
};

struct RetentionLoopOptions {
  std::string url;
  Micros horizon_us = 0;
  // Whether a run makes sense now. Both are called in the loop's thread and must not block.
  std::function<bool()> ready;
  std::function<void(const RetentionNotice&)> observe;
};

class RetentionLoop {
 public:
  explicit RetentionLoop(RetentionLoopOptions options);
  ~RetentionLoop();  // stop()

  void start();
  // Does not wait; stop() does, and cancels a statement that keeps it from ending.
  void ask_to_stop();
  void stop();
  // Any thread: whether the last run found something that only a person can remove.
  bool held_back() const { return held_back_; }

 private:
  void run();

  const RetentionLoopOptions options_;
  Retention retention_;
  HeldBack told_;
  std::atomic<bool> held_back_{false};
  LoopThread thread_;
};

}  // namespace oltp20::spoke
