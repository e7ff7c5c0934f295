#include "common/wire/frames.h"

namespace oltp20 {

std::uint64_t window_cost(const DeliverBatch& batch) {
  constexpr std::uint64_t kItemOverhead = 64;
  std::uint64_t cost = kItemOverhead;
  for (const DeliverItem& item : batch.items) {
    cost += kItemOverhead;
    if (const auto* part = std::get_if<DeliverPart>(&item)) cost += part->bytes->size();
  }
  return cost;
}

}  // namespace oltp20
