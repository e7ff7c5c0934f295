#include "tests/bench/hub_load.h"

#include <chrono>
#include <stdexcept>

#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/wire/envelope.h"
#include "common/wire/hash_chain.h"
#include "tests/bench/path.h"

namespace oltp20::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};

}  // namespace

LinkClientOptions link_options(const test::Network& network, const std::string& spoke) {
  const std::string tls = network.path(spoke + "-tls");
  network.issue("spoke", spoke, tls);
  return {"127.0.0.1:" + std::to_string(network.hub_port()),
          "hub",
          {tls + "/ca.pem", tls + "/cert.pem", tls + "/key.pem", tls + "/crl.pem"}};
}

// ---- publisher ----------------------------------------------------------------------------------

HubPublisher::HubPublisher(const LinkClientOptions& options, std::string spoke)
    : spoke_(std::move(spoke)) {
  SecureRandom random;
  epoch_.id = random.id<Epoch>();
  std::unique_lock lock(mutex_);  // opened() may be called before start() has returned
  client_ = ForwardClient::start(options, this);
  changed_.wait_for(lock, kPatience, [&] { return streaming_ || !trouble_.empty(); });
  if (!streaming_) throw std::runtime_error("the hub does not take the publisher: " + trouble_);
}

void HubPublisher::opened() {
  ForwardHello hello;
  hello.spoke = spoke_;
  hello.epoch = epoch_;
  hello.stable = {0, origin_chain_start(spoke_, epoch_)};
  hello.agent = "bench";
  std::lock_guard lock(mutex_);
  client_->send(hello);
}

void HubPublisher::received(ForwardDown frame) {
  std::lock_guard lock(mutex_);
  if (const auto* welcome = std::get_if<ForwardWelcome>(&frame)) {
    window_bytes_ = welcome->window_bytes;
    streaming_ = true;
    client_->send(ForwardBegin{welcome->held});
  } else if (const auto* ack = std::get_if<ForwardAck>(&frame)) {
    journaled_ = ack->journaled;
    consumed_bytes_ = ack->consumed_bytes;
  } else if (const auto* refusal = std::get_if<ForwardRefusal>(&frame)) {
    trouble_ = refusal->reason;
  }
  client_->consumed(1);
  changed_.notify_all();
}

void HubPublisher::closed(const Status& status) {
  std::lock_guard lock(mutex_);
  trouble_ = status.message();
  changed_.notify_all();
}

void HubPublisher::encode(std::int64_t transactions) {
  SecureRandom random;
  const std::string secret = random.fill(32), payload(kPayloadBytes, 'x');
  frames_.clear();
  frame_bytes_.clear();
  for (std::int64_t i = 0; i < transactions; ++i) {
    TransactionHeader header;
    header.origin = spoke_;
    header.epoch = epoch_.id;
    header.seq = ++encoded_;
    header.xid = 1000 + encoded_;
    header.rows = 1;
    TransactionEncoder encoder(header, secret);
    MessageRow row;
    row.id = random.id<RowId>();
    row.type = "bench.row";
    row.date = 7000;
    row.payload = payload;
    encoder.add_row(row);
    encoder.finish();
    if (frames_.empty() || frames_.back().parts.size() >= limits::kBatchParts ||
        frame_bytes_.back() >= limits::kBatchBytes) {
      frames_.emplace_back();
      frame_bytes_.push_back(0);
    }
    frames_.back().parts.push_back(*encoder.take_part());
    part_bytes_ = frames_.back().parts.back().size();
    frame_bytes_.back() += part_bytes_;
  }
}

void HubPublisher::publish() {
  std::unique_lock lock(mutex_);
  const auto wait = [&](auto holds) {
    if (!changed_.wait_for(lock, kPatience, [&] { return holds() || !trouble_.empty(); }) ||
        !trouble_.empty())
      throw std::runtime_error("publishing to the hub: " + trouble_);
  };
  for (std::size_t i = 0; !frames_.empty(); ++i) {
    wait([&] { return sent_bytes_ - consumed_bytes_ < window_bytes_; });
    sent_bytes_ += frame_bytes_[i];
    ForwardParts frame = std::move(frames_.front());
    frames_.pop_front();
    lock.unlock();
    client_->send(std::move(frame));
    lock.lock();
  }
  wait([&] { return journaled_ == encoded_; });
}

// ---- consumer -----------------------------------------------------------------------------------

HubConsumer::HubConsumer(const LinkClientOptions& options, std::string spoke)
    : spoke_(std::move(spoke)) {
  std::lock_guard lock(mutex_);
  client_ = DeliverClient::start(options, this);
}

void HubConsumer::opened() {
  SecureRandom random;
  DeliverHello hello;
  hello.spoke = spoke_;
  hello.database = random.id<Incarnation>();
  hello.subscribe = {">"};
  hello.start_now = true;
  hello.window_bytes = limits::kDeliverWindowBytes;
  std::lock_guard lock(mutex_);
  client_->send(hello);
  client_->send(DeliverKnown{});  // of no origin yet
}

void HubConsumer::received(DeliverDown frame) {
  std::lock_guard lock(mutex_);
  if (std::holds_alternative<DeliverWelcome>(frame)) attached_ = true;
  if (const auto* batch = std::get_if<DeliverBatch>(&frame)) {
    for (const DeliverItem& item : batch->items)
      if (std::holds_alternative<DeliverPart>(item)) ++transactions_;
    consumed_bytes_ += window_cost(*batch);
    client_->send(DeliverAck{consumed_bytes_, batch->position.lsn, batch->position.lsn});
  }
  client_->consumed(1);
  changed_.notify_all();
}

void HubConsumer::closed(const Status& status) {
  std::lock_guard lock(mutex_);
  trouble_ = status.message();
  changed_.notify_all();
}

void HubConsumer::wait_until_attached() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kPatience, [&] { return attached_ || !trouble_.empty(); });
  if (!attached_) throw std::runtime_error("the hub does not take the consumer: " + trouble_);
}

void HubConsumer::wait_for(std::int64_t transactions, double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [&] { return transactions_ >= transactions || !trouble_.empty(); });
  if (transactions_ != transactions)
    throw std::runtime_error(std::to_string(transactions_) + " of " + std::to_string(transactions) +
                             " transactions arrived. " + trouble_);
}

}  // namespace oltp20::bench
