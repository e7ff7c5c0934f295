// A hub by itself: a publisher that sends transactions which were encoded before, and a consumer
// that acknowledges what comes, without databases.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/link/client.h"
#include "tests/support/network.h"

namespace oltp20::bench {

LinkClientOptions link_options(const test::Network& network, const std::string& spoke);

// One row of kPayloadBytes each.
class HubPublisher final : private ForwardClient::Handler {
 public:
  HubPublisher(const LinkClientOptions& options, std::string spoke);
  ~HubPublisher() override { client_.reset(); }

  void encode(std::int64_t transactions);
  // Sends what was encoded, within the hub's window, until all of it is journaled.
  void publish();
  std::size_t part_bytes() const { return part_bytes_; }

 private:
  void opened() override;
  void received(ForwardDown frame) override;
  void closed(const Status& status) override;

  const std::string spoke_;
  EpochInfo epoch_;
  std::deque<ForwardParts> frames_;
  std::vector<std::size_t> frame_bytes_;
  Seq encoded_ = 0;
  std::size_t part_bytes_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool streaming_ = false;
  Seq journaled_ = 0;
  std::uint64_t sent_bytes_ = 0, consumed_bytes_ = 0, window_bytes_ = 0;
  std::string trouble_;
  std::unique_ptr<ForwardClient> client_;
};

class HubConsumer final : private DeliverClient::Handler {
 public:
  HubConsumer(const LinkClientOptions& options, std::string spoke);
  ~HubConsumer() override { client_.reset(); }

  void wait_until_attached();
  void wait_for(std::int64_t transactions, double seconds);

 private:
  void opened() override;
  void received(DeliverDown frame) override;
  void closed(const Status& status) override;

  const std::string spoke_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool attached_ = false;
  std::int64_t transactions_ = 0;
  std::uint64_t consumed_bytes_ = 0;
  std::string trouble_;
  std::unique_ptr<DeliverClient> client_;
};

}  // namespace oltp20::bench
