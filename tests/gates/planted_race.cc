// A race that the thread lane must see: two threads count without a lock, beside a queue that is
// locked well. Both count once more behind their last use of the queue: what they do before may be
// ordered by its lock, as the machine schedules them, and what is ordered is no race.
#include <thread>

#include "common/base/bounded_queue.h"

int main() {
  oltp20::BoundedQueue<int> queue(4);
  long counted = 0;
  std::thread producer([&] {
    for (int i = 0; i < 1000; ++i) {
      queue.push_wait(i);
      ++counted;
    }
    queue.close();
    ++counted;
  });
  for (bool more = true; more;) {
    more = !queue.take_all(-1).empty();
    ++counted;
  }
  ++counted;
  producer.join();
  return counted < 0;
}
