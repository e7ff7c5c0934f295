// An engine under the contract test: how to make a journal, break it, and start it again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hub/journal/journal.h"

namespace oltp20::hub::testing {

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Journal& journal() = 0;
  // A clean stop and a start on the same storage.
  virtual void reopen() = 0;
  // The next group's fsync fails because the disk is full; goes on failing until repair_disk().
  virtual void break_disk() = 0;
  virtual void repair_disk() = 0;
};

struct EngineMaker {
  std::string name;
  std::function<std::unique_ptr<Engine>()> make;
};

// Each engine's file defines its maker, and the build lists the files.
std::unique_ptr<Engine> make_memory_engine();
std::unique_ptr<Engine> make_rocksdb_engine();

}  // namespace oltp20::hub::testing
