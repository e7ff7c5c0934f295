// TransactionCheck: takes the parts of one transaction as they come, checks them against the limits
// and the policy, and knows at the end what its journal entry says of it.
//
// Pure; used by one forward session at a time.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "common/base/identity.h"
#include "common/wire/envelope.h"
#include "hub/core/policy.h"
#include "hub/journal/entry.h"

namespace oltp20::hub {

// What policy says of one origin, remembered: a type is looked up once. What is no type or no
// destination is not asked about: so what is remembered is bounded in bytes as well.
class PublishRights {
 public:
  PublishRights(Identity who, std::shared_ptr<const Policy> policy)
      : who_(std::move(who)), policy_(std::move(policy)) {}
  bool may_publish(std::string_view type);
  bool knows_destination(std::string_view destination);
  bool may_reach(std::string_view destination, std::string_view type);
  void change(std::shared_ptr<const Policy> policy);

 private:
  static constexpr std::size_t kRemembered = 4096;
  Identity who_;
  std::shared_ptr<const Policy> policy_;
  std::unordered_map<std::string, bool> types_, destinations_, reaches_;
};

struct RefusedTransaction {
  std::string code;
  std::string reason;
};

class TransactionCheck {
 public:
  // `part` is the next one in order: same header, next number, next position. Errors: conflict
  // (the sender breaks the protocol). A refusal is an outcome, not an error: see refused().
  Status add(const PartView& part, PublishRights& rights);

  bool started() const { return parts_ > 0; }
  std::uint32_t parts() const { return parts_; }
  std::uint64_t bytes() const { return bytes_; }
  // When the newest row so far was written, by the origin's wall clock; 0: there is none.
  std::int64_t newest_us() const { return newest_us_; }
  const std::optional<RefusedTransaction>& refused() const { return refused_; }
  // After the last part: fills what the entry says of the transaction.
  void describe(Entry* entry);

 private:
  Status continues(const PartView& part) const;
  void check_row(const RowSlice& slice, PublishRights& rights);

  std::optional<TransactionHeader> header_;
  std::optional<ContentHasher> hasher_;
  std::optional<RefusedTransaction> refused_;
  std::uint32_t parts_ = 0;
  std::uint32_t rows_ = 0;
  std::uint64_t bytes_ = 0;
  std::int64_t newest_us_ = 0;
  std::set<Route> routes_;
};

}  // namespace oltp20::hub
