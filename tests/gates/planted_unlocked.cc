// Shared state touched without its lock: clang's thread-safety analysis must refuse to compile it.
#include "common/base/mutex.h"

class Counter {
 public:
  void add() { ++count_; }

 private:
  oltp20::Mutex mutex_;
  long count_ OLTP20_GUARDED_BY(mutex_) = 0;
};

void use(Counter& counter) {
  counter.add();
}
