// The hub's core between hostile peers: links that open, say anything that is a frame, and close,
// over a journal that is slow and fails. Each event is an operation, a link's number, and for a
// frame its length and bytes.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "common/base/bytes.h"
#include "common/base/overloaded.h"
#include "common/base/random.h"
#include "common/link/convert.h"
#include "common/wire/envelope.h"
#include "hub/core/hub_core.h"
#include "hub/journal/memory_journal.h"
#include "tests/fuzz/property.h"

namespace oltp20::hub {
namespace {

constexpr int kEvents = 200;
constexpr std::uint8_t kSlots = 6;

std::shared_ptr<const Policy> policy(const std::vector<std::string>& receive) {
  PolicyRule rule;
  rule.who = "spoke/*";
  rule.publish = {"greeting", "order.>"};
  rule.subscribe = receive;
  return *Policy::make({rule});
}

class Hub {
 public:
  void event(std::uint8_t operation, std::uint8_t slot, ByteReader& in) {
    LinkId link = slots_[slot];
    switch (operation % 10) {
      case 0:
        return open(slot, true);
      case 1:
        return open(slot, false);
      case 2:
        return receive<v1::ForwardUp, ForwardUp, ForwardReceived>(link, true, in);
      case 3:
        return receive<v1::DeliverUp, DeliverUp, DeliverReceived>(link, false, in);
      case 4:
        return close(link);
      case 5:
        journal_.complete_one();
        break;
      case 6:
        journal_.fail_next(Status(Code::exhausted, "no space"));
        break;
      case 7:
        now_.monotonic += 300 * kMillisecond;
        return step(TimePassed{});
      case 8:
        return change_policy(slot);
      default:
        return step(EpochAdopted{"a", Epoch::from(std::string(16, 'e'))});
    }
    settle();
  }

 private:
  struct Link {
    bool forward;
    Identity peer;
  };

  // No two links ever have the same number.
  void open(std::uint8_t slot, bool forward) {
    const std::string names[] = {"a", "b", "c"};
    Identity peer{Identity::Kind::spoke, "test", "eu", names[slot % 3]};
    if (links_.contains(slots_[slot])) return;
    slots_[slot] = ++last_link_;
    links_.emplace(last_link_, Link{forward, peer});
    step(LinkOpened{last_link_, forward, peer, "fuzz"});
  }

  // A link tells of frames of its own kind only, and of none once it is over.
  template <typename Wire, typename Frame, typename Received>
  void receive(LinkId link, bool forward, ByteReader& in) {
    const std::string bytes(in.str16());
    auto at = links_.find(link);
    Wire message;
    if (at == links_.end() || at->second.forward != forward || !message.ParseFromString(bytes))
      return;
    if (Result<Frame> frame = from_wire(&message)) step(Received{link, std::move(*frame)});
  }

  void close(LinkId link) {
    if (links_.erase(link) != 0) step(LinkClosed{link});
  }

  void change_policy(LinkId wide) {
    policy_ = policy(wide % 2 == 0 ? std::vector<std::string>{"greeting"}
                                   : std::vector<std::string>{">"});
    step(PolicyChanged{policy_});
  }

  void step(Event event) {
    events_.push_back(std::move(event));
    settle();
  }
  void settle() {
    while (!events_.empty()) {
      Event event = std::move(events_.front());
      events_.pop_front();
      Actions actions;
      core_.step(std::move(event), now_, &actions);
      core_.flush(now_, &actions);
      for (Action& action : actions) carry_out(action);
    }
  }

  void carry_out(Action& action) {
    std::visit(
        Overloaded{
            [&](SendForward& a) { check(a); },
            [&](SendDeliver& a) { check(a); },
            [&](Consumed&) {},
            [&](CloseLink& a) {
              if (links_.erase(a.link) != 0) events_.push_back(LinkClosed{a.link});
            },
            [&](AppendGroup& a) {
              journal_.append(std::move(a.group),
                              [this](Status status) { events_.push_back(GroupDone{status}); });
            },
            [&](RecoverJournal&) {
              journal_.hold(false);
              Status status = journal_.recover();
              journal_.hold(true);
              events_.push_back(JournalRecovered{status, journal_.info(), journal_.origins()});
            },
            [&](LookUpHash& a) {
              events_.push_back(HashFound{a.link, a.lsn, journal_.stream_hash_at(a.lsn)});
            },
            [&](ReadPages& a) {
              events_.push_back(PageFound{a.link, journal_.read(a.from, a.max_bytes)});
            },
            [&](Notice&) {},
        },
        action);
  }

  // Nothing is acknowledged that is not durable.
  void check(const SendForward& action) {
    const auto* ack = std::get_if<ForwardAck>(&action.frame);
    if (!ack || ack->journaled == 0) return;
    bool durable = false;
    for (const OriginState& origin : journal_.origins())
      durable |=
          origin.last.seq >= ack->journaled && origin.origin == links_.at(action.link).peer.name;
    DEMAND(durable);
  }

  // No row leaves that the policy in force denies to the receiver, and none to its own origin.
  void check(const SendDeliver& action) {
    const auto* batch = std::get_if<DeliverBatch>(&action.frame);
    if (!batch) return;
    const Identity& who = links_.at(action.link).peer;
    for (const DeliverItem& item : batch->items) {
      const auto* part = std::get_if<DeliverPart>(&item);
      if (!part) continue;
      Result<PartView> view = PartView::parse(*part->bytes);
      DEMAND(view.is_ok() && view->header.origin != who.name);
      for (const RowSlice& row : view->rows)
        DEMAND(row.withheld || policy_->may_receive(who, row_type(row)));
    }
  }

  SeededRandom random_{1};
  MemoryJournal journal_{"hub", random_};
  std::shared_ptr<const Policy> policy_ = policy({">"});
  HubCore core_{"hub", journal_.info(), journal_.origins(), policy_};
  Now now_{kSecond, kSecond};
  LinkId slots_[kSlots] = {};
  LinkId last_link_ = 0;
  std::map<LinkId, Link> links_;
  std::deque<Event> events_;

 public:
  Hub() { journal_.hold(true); }
};

}  // namespace
}  // namespace oltp20::hub

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);  // a line for each string that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  oltp20::ByteReader in({reinterpret_cast<const char*>(data), size});
  oltp20::hub::Hub hub;
  for (int i = 0; i < oltp20::hub::kEvents && in.remaining() != 0; ++i) {
    std::uint8_t operation = in.u8(), slot = in.u8();
    hub.event(operation, slot % oltp20::hub::kSlots, in);
  }
  return 0;
}
