#include "common/wire/frames.h"

#include <algorithm>

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

void merge_oldest(std::vector<ReceiptException>* exceptions, std::size_t most) {
  if (exceptions->size() <= most || most == 0) return;
  auto behind = exceptions->begin() + static_cast<std::ptrdiff_t>(exceptions->size() - most);
  ReceiptException& merged = *behind;
  for (auto old = exceptions->begin(); old != behind; ++old) {
    merged.from = std::min(merged.from, old->from);
    merged.to = std::max(merged.to, old->to);
  }
  merged.kind = ReceiptException::Kind::several;
  merged.code.clear();
  merged.reason =
      "some of these were put aside or given up; the destination's oltp20.dead_letter "
      "and oltp20.gap say which";
  exceptions->erase(exceptions->begin(), behind);
}

}  // namespace oltp20
