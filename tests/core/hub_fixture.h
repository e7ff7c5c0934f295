// HubTest: a hub's core with a journal in memory, fed event by event, without a spoke's own checks
// in the way.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "common/wire/hash_chain.h"
#include "tests/support/model_network.h"

namespace oltp20::tests {

inline Epoch epoch(int n) {
  return Epoch::from("epoch " + std::to_string(n));
}
inline Identity identity(const std::string& name) {
  return {Identity::Kind::spoke, "test", "eu", name};
}

inline MessageRow row(std::string_view type, std::string_view payload = "p",
                      std::optional<std::string_view> destination = {}) {
  MessageRow out;
  out.type = type;
  out.payload = payload;
  out.destination = destination;
  return out;
}

inline std::vector<std::string> parts_of(const std::string& origin, const Epoch& life, Seq seq,
                                         const std::vector<MessageRow>& rows) {
  TransactionHeader header;
  header.origin = origin;
  header.epoch = life;
  header.seq = seq;
  header.rows = static_cast<std::uint32_t>(rows.size());
  TransactionEncoder encoder(header, "secret");
  std::vector<std::string> out;
  for (const MessageRow& row : rows) {
    encoder.add_row(row);
    while (auto part = encoder.take_part()) out.push_back(std::move(*part));
  }
  encoder.finish();
  while (auto part = encoder.take_part()) out.push_back(std::move(*part));
  return out;
}
// Of rows of these types.
inline std::vector<std::string> parts_of(const std::string& origin, const Epoch& life, Seq seq,
                                         const std::vector<std::string>& types,
                                         const std::string& payload = "p") {
  std::vector<MessageRow> rows;
  for (const std::string& type : types) rows.push_back(row(type, payload));
  return parts_of(origin, life, seq, rows);
}

// A hub's core with a journal in memory; what it says is kept.
class HubTest : public ::testing::Test {
 protected:
  void event(hub::Event event) {
    std::deque<hub::Event> queue;
    queue.push_back(std::move(event));
    while (!queue.empty()) {
      hub::Actions actions;
      for (; !queue.empty(); queue.pop_front())
        core_.step(std::move(queue.front()), now_, &actions);
      core_.flush(now_, &actions);
      for (hub::Action& action : actions) carry_out(action, &queue);
    }
  }
  void attach(hub::LinkId link, const EpochInfo& life, std::optional<ChainPosition> base = {}) {
    event(hub::LinkOpened{link, true, identity("evil"), "x"});
    ForwardHello hello;
    hello.spoke = "evil";
    hello.agent = "agent";
    hello.epoch = life;
    event(hub::ForwardReceived{link, hello});
    if (!base) base = ChainPosition{0, origin_chain_start("evil", life)};
    event(hub::ForwardReceived{link, ForwardBegin{*base}});
  }
  void send(hub::LinkId link, std::vector<std::string> parts) {
    event(hub::ForwardReceived{link, ForwardParts{std::move(parts)}});
  }
  void deliver(hub::LinkId link, const std::string& name, std::vector<OriginEpoch> known = {}) {
    event(hub::LinkOpened{link, false, identity(name), "x"});
    DeliverHello hello;
    hello.spoke = name;
    hello.subscribe = {">"};
    hello.window_bytes = limits::kDeliverWindowBytes;
    event(hub::DeliverReceived{link, hello});
    event(hub::DeliverReceived{link, DeliverKnown{std::move(known)}});
  }
  void policy(std::vector<hub::PolicyRule> rules) {
    event(hub::PolicyChanged{*hub::Policy::make(std::move(rules))});
  }
  // What was delivered, of one kind of item.
  template <typename Item>
  std::vector<Item> delivered() const {
    std::vector<Item> out;
    for (const DeliverBatch& batch : delivered_)
      for (const auto& item : batch.items)
        if (const auto* one = std::get_if<Item>(&item)) out.push_back(*one);
    return out;
  }
  // Why that link ended; "" when it did not.
  std::string ended(hub::LinkId link) const {
    auto at = closed_.find(link);
    return at == closed_.end() ? "" : at->second;
  }

  SeededRandom random_{1};
  hub::MemoryJournal journal_{"hub", random_};
  hub::HubCore core_{"hub", journal_.info(), journal_.origins(), *hub::Policy::make(allow_all())};
  hub::Now now_{kSecond, kSecond};
  std::map<hub::LinkId, std::string> closed_;
  std::vector<DeliverBatch> delivered_;
  std::vector<ForwardRefusal> refused_;
  std::map<hub::LinkId, std::vector<ForwardReceipts>> receipts_;  // passed on, by link

 private:
  void carry_out(hub::Action& action, std::deque<hub::Event>* queue) {
    if (auto* append = std::get_if<hub::AppendGroup>(&action))
      journal_.append(std::move(append->group),
                      [queue](Status status) { queue->push_back(hub::GroupDone{status}); });
    if (auto* read = std::get_if<hub::ReadPages>(&action))
      queue->push_back(hub::PageFound{read->link, journal_.read(read->from, read->max_bytes)});
    if (auto* close = std::get_if<hub::CloseLink>(&action))
      closed_[close->link] = close->goodbye.reason;
    if (auto* send = std::get_if<hub::SendForward>(&action))
      if (auto* refusal = std::get_if<ForwardRefusal>(&send->frame)) refused_.push_back(*refusal);
    if (auto* send = std::get_if<hub::SendForward>(&action))
      if (auto* said = std::get_if<ForwardReceipts>(&send->frame))
        receipts_[send->link].push_back(*said);
    if (auto* send = std::get_if<hub::SendDeliver>(&action))
      if (auto* batch = std::get_if<DeliverBatch>(&send->frame)) delivered_.push_back(*batch);
  }
};

}  // namespace oltp20::tests
