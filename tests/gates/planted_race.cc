// A race that the thread lane must see: two threads count without a lock, beside a queue that is
// locked well.
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
  });
  for (bool more = true; more;) {
    more = !queue.take_all(-1).empty();
    ++counted;
  }
  producer.join();
  return counted < 0;
}
