// Signals: blocked in all threads, waited for in one. Make it first in main, before any thread.
#pragma once

#include <csignal>

#include "common/base/clock.h"

namespace oltp20 {

class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is a failed write, like a full disk
  }
  // The next signal, or 0 after `wait_us`.
  int wait(Micros wait_us) const {
    timespec time{wait_us / kSecond, wait_us % kSecond * 1000};
    int signal = sigtimedwait(&set_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t set_;
};

}  // namespace oltp20
