// A race in a handler of a real link, called by the link's thread: the thread lane must see it
// although gRPC is on the stack, so no suppression may be so wide as to hide it.
#include <atomic>
#include <cstdio>

#include "tests/common/link/recorders.h"

namespace {

class Careless final : public oltp20::ForwardClient::Handler {
 public:
  void opened() override {
    ++calls;  // without a lock
    seen.store(true, std::memory_order_relaxed);
  }
  void received(oltp20::ForwardDown) override { ++calls; }
  void closed(const oltp20::Status&) override { ++calls; }

  long calls = 0;
  std::atomic<bool> seen = false;
};

}  // namespace

int main() {
  oltp20::link_test::Hub hub;
  auto handler = std::make_unique<Careless>();
  auto client = oltp20::ForwardClient::start(hub.reach(), handler.get());
  for (int i = 0; i < 1000 && !handler->seen.load(std::memory_order_relaxed); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ++handler->calls;
  if (!handler->seen) std::fprintf(stderr, "the link did not open\n");
  std::printf("%ld calls\n", handler->calls);
  return handler->seen ? 0 : 3;
}
