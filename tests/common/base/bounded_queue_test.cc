#include "common/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace oltp20 {
namespace {

TEST(BoundedQueue, AFullOneSaysNoAndIsNotGrown) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.take_all(0), (std::deque<int>{1, 2}));
  EXPECT_TRUE(queue.push(4));
}

TEST(BoundedQueue, AClosedOneTakesNothingAndGivesWhatItHas) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_FALSE(queue.push_wait(2));
  EXPECT_TRUE(queue.closed());
  EXPECT_EQ(queue.take_all(-1), std::deque<int>{1});
  EXPECT_TRUE(queue.take_all(-1).empty());
}

// Items own memory, so that the sanitizers see an item that two threads believe to have.
TEST(BoundedQueue, ManyProducersLoseAndReorderNothingOfTheirOwn) {
  constexpr int kProducers = 4, kItems = 5000;
  BoundedQueue<std::unique_ptr<std::pair<int, int>>> queue(8);
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer)
    producers.emplace_back([&, producer] {
      for (int item = 0; item < kItems; ++item)
        EXPECT_TRUE(queue.push_wait(std::make_unique<std::pair<int, int>>(producer, item)));
    });
  std::vector<int> next(kProducers, 0);
  for (int taken = 0; taken < kProducers * kItems;)
    for (auto& item : queue.take_all(kSecond)) {
      EXPECT_LE(queue.size(), queue.limit());
      ASSERT_EQ(item->second, next[static_cast<std::size_t>(item->first)]++);
      ++taken;
    }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(queue.size(), 0u);
}

TEST(BoundedQueue, ClosingWakesAProducerThatWaitsForRoom) {
  BoundedQueue<int> queue(1);
  ASSERT_TRUE(queue.push(1));
  std::thread producer([&] { EXPECT_FALSE(queue.push_wait(2)); });
  queue.close();
  producer.join();
}

}  // namespace
}  // namespace oltp20
