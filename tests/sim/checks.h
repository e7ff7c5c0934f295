// Checks: the invariants, one function each, called while a run goes on and at its end. They
// compare what the cores did with what the oracle knows; the first breach ends the run.
//
// Losses that the design permits are recognised by what the world did (which hub lost what), never
// by loosening a check: see `excused()` in checks_end.cc.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/wire/frames.h"
#include "hub/core/events.h"
#include "tests/sim/database.h"
#include "tests/sim/oracle.h"

namespace oltp20::sim {

class World;
class Hub;
class Spoke;
class Follower;
struct Link;

struct Breach {
  std::string check;  // the name of the invariant
  std::string text;
  Micros at = 0;
};

class Checks {
 public:
  explicit Checks(World& world) : world_(world) {}

  const std::optional<Breach>& breach() const { return breach_; }
  void fail(const std::string& check, const std::string& text);

  // ---- while it runs (checks.cc) ----
  // Permission, identity: what a hub sends, journals and refuses.
  void delivery_is_permitted(const Hub& hub, hub::LinkId link, const DeliverDown& frame);
  void group_is_permitted(const Hub& hub, const hub::Group& group);
  void hub_says(const Hub& hub, hub::LinkId link, const ForwardDown& frame);
  // What a database was told: whole transactions, each row once, epochs only for a reason.
  void written(const Spoke& spoke, const Record& record);
  void receipt_is_true(const Spoke& spoke, const DeliverUp& frame);
  void applied_is_true(const Spoke& spoke, const Receipt& receipt);
  // Bounds.
  void hub_is_bounded(const Hub& hub);
  void origin_is_bounded(const Spoke& spoke);
  void destination_is_bounded(const Spoke& spoke);
  void consumed_is_true(const Link& link, std::size_t frames);
  void journal_is_sound(const Hub& hub);

  // ---- what the world did ----
  // The hub is about to lose entries: all, or (trimmed) those up to `upto`.
  void hub_lost(const Hub& hub, Lsn upto, bool trimmed);
  void life_may_change(const std::string& spoke) { ++lives_due_[spoke]; }
  void link_is_hostile(hub::LinkId link) { hostile_.insert(link); }

  // ---- at the end (checks_end.cc) ----
  void at_end();
  // With several hubs: of a follower of their streams (checks_hubs.cc).
  void at_end_of_follower(Follower& follower);

  struct Counts {
    std::uint64_t gaps = 0, refused = 0, dead_letters = 0, epochs = 0, skipped = 0, delivered = 0,
                  excused = 0, followed = 0, holes = 0, receipts = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Capture {
    OriginEpoch key;
    Seq seq = 0;
    std::size_t transaction = 0;
  };
  void part_is_permitted(const Hub& hub, const std::string& bytes);
  void applied_whole(const Spoke& spoke, const ApplyRecord::Transaction& transaction);
  void everything_is_captured(const Spoke& origin);
  void order_is_kept(const Spoke& destination);
  void nothing_is_missing(const Spoke& destination);
  void gaps_are_justified(const Spoke& destination);
  void dead_letters_are_justified(const Spoke& destination);
  void refusals_are_recorded(const Spoke& origin);
  void receipts_have_come(const Spoke& destination);
  void orphans_are_collected(const Hub& hub);
  bool excused(const Spoke& destination, const std::vector<Capture>& captures);
  bool was_given_up(const Spoke& destination, const Capture& capture) const;
  bool is_available(const Capture& capture) const;
  bool has_place(const Capture& capture) const;
  bool hub_has_lost(const Capture& capture) const;
  void holes_are_explained(Follower& follower);
  void everything_has_come(const Follower& follower);
  void taken_in_order(const Follower& follower);
  void taken_once(const Follower& follower);
  void chains_agree();
  void note_loss_of(const Hub& hub, Lsn upto, bool trimmed);
  void learn_captures();
  void learn(const OriginEpoch& key, Seq seq, Oracle::Place place);

  World& world_;
  std::optional<Breach> breach_;
  Counts counts_;
  std::set<hub::LinkId> hostile_;
  std::map<std::string, std::size_t> parts_;  // that entries of a hub's journal have
  std::map<std::string, int> lives_due_;
  std::map<std::pair<std::string, OriginEpoch>, std::vector<ReceiptException>> told_exceptions_;
  // What was disclosed on each link of a destination: rows of (origin, epoch, seq).
  using Place = std::tuple<std::string, std::string, Epoch, Seq>;  // destination, origin, ...
  std::map<Place, std::map<hub::LinkId, std::vector<RowId>>> disclosed_;
  std::map<OriginEpoch, Seq> lost_by_hubs_;  // up to there
  // With several hubs exactly: what was lost after its origin had been told that it is journaled.
  std::map<OriginEpoch, std::set<Seq>> lost_exactly_;
  std::map<std::pair<std::string, OriginEpoch>, Seq> told_;  // by that hub
  bool stretches_lost_ = false;  // of a hub's stream, whatever was in them
  // (origin, epoch, seq) of each oracle transaction, of every life that captured it.
  std::map<std::size_t, std::vector<Capture>> captures_;
  std::map<std::pair<OriginEpoch, Seq>, std::size_t> captured_;
  // What the hubs' journals hold now; nullopt: a tombstone.
  std::map<std::pair<OriginEpoch, Seq>, std::optional<std::size_t>> available_;
};

}  // namespace oltp20::sim
