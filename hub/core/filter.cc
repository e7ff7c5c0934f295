#include "hub/core/filter.h"

#include <algorithm>

#include "common/base/subject.h"

namespace oltp20::hub {

bool Filter::wants(std::string_view type) {
  auto at = types_.find(std::string(type));
  if (at != types_.end()) return at->second;
  if (types_.size() >= kRemembered) types_.clear();
  bool wanted = any_subject_matches(subscribe_, type) && policy_->may_receive(who_, type);
  return types_.emplace(type, wanted).first->second;
}

Filter::Match Filter::match(const Entry& entry) {
  if (entry.kind == Entry::Kind::run || entry.rows == 0) return Match::nothing;
  if (entry.routes.empty()) return Match::unlisted;
  std::size_t matching =
      static_cast<std::size_t>(std::ranges::count_if(entry.routes, [&](const Route& route) {
        return addressed_to(route.destination, who_) && wants(route.type);
      }));
  if (matching == 0) return Match::nothing;
  return matching == entry.routes.size() ? Match::everything : Match::some;
}

bool Filter::wants_row(const RowSlice& slice) {
  Result<MessageRow> row = parse_row(slice);
  return row && wants(row->type) && addressed_to(row->destination.value_or(""), who_);
}

Result<Filter::Left> Filter::apply(std::shared_ptr<const std::string> bytes) {
  Result<PartView> part = PartView::parse(*bytes);
  if (!part) return Status(Code::corrupt, part.status().message());
  std::vector<bool> keep;
  keep.reserve(part->rows.size());
  for (const RowSlice& row : part->rows) keep.push_back(wants_row(row));
  std::size_t kept = static_cast<std::size_t>(std::ranges::count(keep, true));
  if (kept == keep.size()) return Left{std::move(bytes), kept};
  return Left{std::make_shared<const std::string>(withhold_rows_at(*part, keep)), kept};
}

void Filter::change(std::shared_ptr<const Policy> policy) {
  policy_ = std::move(policy);
  types_.clear();
}

}  // namespace oltp20::hub
