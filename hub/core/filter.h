// Filter: what of an entry one destination gets: what it subscribes to and may receive, and what is
// addressed to it or to nobody in particular; row by row.
//
// Pure; one a session. It remembers what policy says of a type until the policy changes.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/identity.h"
#include "common/wire/envelope.h"
#include "hub/core/policy.h"
#include "hub/journal/entry.h"

namespace oltp20::hub {

class Filter {
 public:
  Filter(Identity who, std::vector<std::string> subscribe, std::shared_ptr<const Policy> policy)
      : who_(std::move(who)), subscribe_(std::move(subscribe)), policy_(std::move(policy)) {}

  // some: at least one row, not all. unlisted: the rows must be looked at, perhaps none matches.
  enum class Match { nothing, everything, some, unlisted };
  // From what the entry lists, without looking at its rows.
  Match match(const Entry& entry);

  struct Left {
    std::shared_ptr<const std::string> part;
    std::size_t rows = 0;  // that are not withheld
  };
  // The part with the rows withheld that the destination may not have; the very same bytes when
  // there are none. Errors: corrupt.
  Result<Left> apply(std::shared_ptr<const std::string> part);

  void change(std::shared_ptr<const Policy> policy);

 private:
  bool wants(std::string_view type);
  bool wants_row(const RowSlice& row);

  static constexpr std::size_t kRemembered = 4096;
  Identity who_;
  std::vector<std::string> subscribe_;
  std::shared_ptr<const Policy> policy_;
  std::unordered_map<std::string, bool> types_;
};

}  // namespace oltp20::hub
