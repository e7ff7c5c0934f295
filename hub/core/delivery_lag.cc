// Lag: how far destinations are behind, of those that are attached and of those that are away.
#include <algorithm>

#include "common/base/limits.h"
#include "hub/core/delivery.h"

namespace oltp20::hub {

Lag Delivery::lag(const Session& session) const {
  Lag lag;
  std::uint64_t unseen = head_.lsn > session.passed.lsn ? head_.lsn - session.passed.lsn : 0;
  lag.transactions = session.in_flight_transactions + unseen;
  if (!session.in_flight.empty()) {
    lag.oldest_us = session.in_flight.front().oldest_us;
  } else if (unseen != 0) {
    if (EntryPtr next = tail_.find(session.passed.lsn + 1)) {
      lag.oldest_us = next->received_us;
    } else if (session.page && session.page_at < session.page->items.size()) {
      lag.oldest_us = session.page->items[session.page_at].entry->received_us;
    }
  }
  return lag;
}

void Delivery::depart(const Session& session) {
  if (session.state != Session::State::streaming) return;
  // Who attached anew is not away, though the old link's end is heard of later.
  for (const auto& [link, other] : sessions_)
    if (&other != &session && other.peer.name == session.peer.name &&
        other.state == Session::State::streaming)
      return;
  if (departed_.size() >= limits::kDepartedSpokes && !departed_.contains(session.peer.name))
    departed_.erase(std::min_element(
        departed_.begin(), departed_.end(),
        [](const auto& a, const auto& b) { return a.second.since < b.second.since; }));
  Lsn upto = session.in_flight.empty() ? session.passed.lsn : session.applied;
  departed_[session.peer.name] = {upto, lag(session).oldest_us, now_};
}

// Now and then: when the first entry came that one who is away does not have.
void Delivery::note_departed(Now now) {
  now_ = now.monotonic;
  for (auto& [name, away] : departed_) {
    if (away.oldest_us != 0 || head_.lsn <= away.upto) continue;
    EntryPtr next = tail_.find(away.upto + 1);
    away.oldest_us = next ? next->received_us : now.wall;
  }
}

std::vector<DepartedStatus> Delivery::departed() const {
  std::vector<DepartedStatus> out;
  for (const auto& [name, away] : departed_)
    out.push_back({name, {head_.lsn > away.upto ? head_.lsn - away.upto : 0, away.oldest_us}});
  return out;
}

}  // namespace oltp20::hub
