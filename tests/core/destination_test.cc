// Destination, one frame after the other: what comes together is applied together.
#include "spoke/core/destination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/envelope.h"
#include "tests/support/model_database.h"

namespace oltp20::tests {
namespace {

using ::testing::IsEmpty;

const Epoch kEpoch = Epoch::from("epoch");
const Incarnation kStream = Incarnation::from("stream");

StreamPosition at(Lsn lsn) {
  return {kStream, lsn, Hash::from(std::to_string(lsn))};
}

// The items of a transaction of that many rows of 1000 bytes.
std::vector<DeliverItem> transaction(Seq seq, std::uint32_t rows) {
  TransactionHeader header;
  header.origin = "a";
  header.epoch = kEpoch;
  header.seq = seq;
  header.rows = rows;
  TransactionEncoder encoder(header, "secret");
  const std::string payload(1000, 'x');
  std::vector<DeliverItem> out;
  auto take = [&] {
    while (auto part = encoder.take_part())
      out.push_back(
          DeliverPart{seq, seq - 1, {}, 0, std::make_shared<const std::string>(std::move(*part))});
  };
  for (std::uint32_t n = 0; n < rows; ++n) {
    MessageRow row;
    row.type = "t";
    row.payload = payload;
    encoder.add_row(row);
    take();
  }
  encoder.finish();
  take();
  for (DeliverItem& item : out) std::get<DeliverPart>(item).content = encoder.content_hash();
  return out;
}

class DestinationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    settle();
    destination_.link_opened(now_, &actions_);
    receive(DeliverWelcome{"hub", kStream, at(0), false, 0, {}});
    receive(DeliverBatch{{DeliverRun{1, "a", {kEpoch, {}, {}}, {}}}, true, at(1)});
    settle();
  }
  void receive(DeliverDown frame) { destination_.link_received(std::move(frame), now_, &actions_); }
  void settle() {
    for (int i = 0; i < 100 && destination_.work(now_, &actions_); ++i) now_.monotonic += 1;
    now_.monotonic += kSecond;
    destination_.work(now_, &actions_);
  }
  std::size_t rows() const { return database_.received.size(); }

  ModelDatabase database_;
  ModelInbox inbox_{database_};
  SeededRandom random_{1};
  spoke::Now now_{kSecond, kSecond};
  spoke::Destination destination_{{"b", {">"}, false, {"hub"}}, inbox_, random_};
  spoke::DestinationActions actions_;
};

TEST_F(DestinationTest, ALargeTransactionMayFollowABatchOfDuplicates) {
  receive(DeliverBatch{transaction(1, 1), true, at(2)});
  settle();
  ASSERT_EQ(rows(), 1u);
  receive(DeliverBatch{transaction(1, 1), true, at(3)});  // moves the position, and nothing else
  std::vector<DeliverItem> large = transaction(2, 600);
  ASSERT_EQ(large.size(), 3u);
  receive(DeliverBatch{{large[0], large[1]}, false, {}});
  receive(DeliverBatch{{large[2]}, true, at(4)});
  settle();
  EXPECT_EQ(rows(), 601u);
  EXPECT_EQ(database_.positions["hub"], at(4));
}

TEST_F(DestinationTest, NothingOfALargeTransactionIsThereBeforeItsLastPart) {
  std::vector<DeliverItem> large = transaction(1, 600);
  receive(DeliverBatch{{large[0], large[1]}, false, {}});
  settle();
  EXPECT_EQ(rows(), 0u);
  EXPECT_THAT(database_.marks, IsEmpty());
  receive(DeliverBatch{{large[2]}, true, at(2)});
  settle();
  EXPECT_EQ(rows(), 600u);
}

TEST_F(DestinationTest, ContentThatDoesNotMatchItsHashEndsTheLink) {
  std::vector<DeliverItem> forged = transaction(1, 1);
  std::get<DeliverPart>(forged[0]).content = Hash::from("another");
  receive(DeliverBatch{forged, true, at(2)});
  settle();
  EXPECT_EQ(rows(), 0u);
  EXPECT_FALSE(destination_.status().attached);
  EXPECT_THAT(destination_.status().trouble, ::testing::HasSubstr("does not match its rows"));
}

}  // namespace
}  // namespace oltp20::tests
