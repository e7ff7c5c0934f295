#include "spoke/agent/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace oltp20::spoke {
namespace {

TEST(Mailbox, EverythingPostedIsTakenOnceAndInThePostersOrder) {
  constexpr int kPosters = 4, kItems = 5000;
  Mailbox<std::unique_ptr<std::pair<int, int>>> mailbox;
  std::vector<std::thread> posters;
  for (int poster = 0; poster < kPosters; ++poster)
    posters.emplace_back([&, poster] {
      for (int item = 0; item < kItems; ++item)
        mailbox.post(std::make_unique<std::pair<int, int>>(poster, item));
    });
  std::vector<int> next(kPosters, 0);
  for (int taken = 0; taken < kPosters * kItems;) {
    mailbox.wait(-1, 10 * kSecond);
    for (auto& item : mailbox.take()) {
      ASSERT_EQ(item->second, next[static_cast<std::size_t>(item->first)]++);
      ++taken;
    }
  }
  for (std::thread& poster : posters) poster.join();
}

}  // namespace
}  // namespace oltp20::spoke
