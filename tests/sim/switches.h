// Switches: rules that can be broken on purpose, one at a time, to see which check goes red.
//
// Some live at the edges, in the models of databases and journal. The others are in copies of the
// shipped sources that the build makes for the simulator, as core_switches.txt says; the product
// itself knows nothing of them.
#pragma once

#include <optional>
#include <string_view>

namespace oltp20::sim {

// X(name, protocol rule, what is broken): the switches at the edges.
#define OLTP20_SIM_SWITCHES(X)                                                                   \
  X(none, "", "")                                                                                \
  X(journal_done_before_sync, "1", "the journal says done before the sync")                      \
  X(tick_without_flush, "4", "a tick is sent before its log is flushed")                         \
  X(tick_without_compare_and_set, "6", "a tick is taken whatever the last one was")              \
  X(refusal_not_recorded, "7", "the reason of a refusal is not committed")                       \
  X(capture_by_highest_id, "invariant 5", "capture takes ids above the last, not the late ones") \
  X(order_by_first_row, "32", "transactions are ordered by their first row")                     \
  X(mark_without_compare_and_set, "22", "marks and positions move whatever they were")           \
  X(marks_apart_from_rows, "22", "rows are committed before their marks")                        \
  X(overlap_not_recognised, "24", "rows of a fork's overlap are not recognised by id")           \
  X(durable_before_flush, "28", "receipts say durable before the flush")                         \
  X(followed_is_held, "1 (hubs)", "a hub says that it holds what it has only followed")          \
  X(followed_past_a_hole, "10 (hubs)", "a follower takes what stands behind a hole")             \
  X(followed_from_the_base, "10 (hubs)", "a run opens a follower's mark at its base")            \
  X(followed_positions_apart, "10 (hubs)", "a follower saves positions before their marks")      \
  X(followed_position_not_compared, "names (hubs)",                                              \
    "a follower believes positions of another incarnation")

enum class Switch {
#define X(name, rule, what) name,
  OLTP20_SIM_SWITCHES(X)
#include "core_switches.inc"  // made of core_switches.txt
#undef X
};

struct SwitchInfo {
  Switch number;
  std::string_view name, rule, what;
};
inline constexpr SwitchInfo kSwitches[] = {
#define X(name, rule, what) {Switch::name, #name, rule, what},
    OLTP20_SIM_SWITCHES(X)
#include "core_switches.inc"
#undef X
};

inline Switch broken_switch = Switch::none;
inline bool broken(Switch which) {
  return broken_switch == which;
}
inline std::optional<Switch> switch_of(std::string_view name) {
  for (const SwitchInfo& info : kSwitches)
    if (info.name == name) return info.number;
  return std::nullopt;
}

}  // namespace oltp20::sim
