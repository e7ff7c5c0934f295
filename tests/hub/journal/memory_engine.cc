#include "hub/journal/memory_journal.h"
#include "tests/hub/journal/engine.h"

namespace oltp20::hub::testing {
namespace {

class MemoryEngine final : public Engine {
 public:
  Journal& journal() override { return journal_; }
  void reopen() override { journal_.crash(); }
  void break_disk() override { journal_.fail_next(Status(Code::exhausted, "the disk is full")); }
  void repair_disk() override {}

 private:
  SeededRandom random_{7};
  MemoryJournal journal_{"eu-west", random_};
};

}  // namespace

std::unique_ptr<Engine> make_memory_engine() {
  return std::make_unique<MemoryEngine>();
}

}  // namespace oltp20::hub::testing
