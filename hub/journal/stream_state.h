// StreamState: what a journal knows of its current stream, and the rules by which groups extend it.
//
// Shared by all engines, so that they refuse and accept alike (journal.h, rules 3 and 5). plan()
// changes nothing; the engine makes the group durable and then hands the plan to apply().
// Not thread-safe; the engine guards it.
#pragma once

#include <map>

#include "hub/journal/journal.h"

namespace oltp20::hub {

using OriginStates = std::map<OriginEpoch, OriginState>;

struct StreamState {
  // What a group changes.
  struct Plan {
    StreamPosition head;
    Hash origins_digest;
    OriginStates origins;  // only those that the group moves
  };

  std::string hub;
  StreamPosition parent;
  Lsn first_lsn = 1;
  Hash before_first;  // of the stream at first_lsn - 1
  StreamPosition head;
  OriginStates origins;
  Hash origins_digest;  // over their seals (origin_seal.h)

  // The empty stream of a new incarnation.
  static StreamState start(std::string hub, const Incarnation& incarnation,
                           const StreamPosition& parent);

  // Errors: internal, when the group does not continue the stream, or an entry of an origin does
  // not continue the run that is open.
  Result<Plan> plan(const Group& group) const;
  void apply(Plan plan);

  // The first seq whose parts may be dropped: not those of entries that came.
  Seq first_droppable(const DropParts& drop) const;
  // Of an (origin, epoch), when no transaction is under way.
  Seq first_orphan(const OriginEpoch& origin) const { return first_droppable({origin, 0}); }
  // What trim(upto) really trims: never the head; 0 when there is nothing to trim.
  Lsn trimmable(Lsn upto) const;
};

// For reads below first_lsn: not_found, where the stream begins.
Status trimmed_away(Lsn lsn, Lsn first_lsn);
// For a cursor into an entry that has fewer parts: invalid.
Status no_such_part(const Entry& entry, std::uint32_t part_no);

}  // namespace oltp20::hub
