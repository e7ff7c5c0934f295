// What a region wants, as few patterns: a bounded set that covers everything that was asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oltp20::hub::routing {

// Whether every type that `narrow` matches is matched by `wide`. Both are well-formed.
bool pattern_covers(std::string_view wide, std::string_view narrow);

// Ascending, without what another pattern covers, at most `most` (at least 1) of them: where there
// are more, the longest are replaced by what they have in common, `a.b.c` by `a.b.>`. It may match
// more than was asked for, never less.
std::vector<std::string> coarsen(std::vector<std::string> patterns, std::size_t most);

}  // namespace oltp20::hub::routing
