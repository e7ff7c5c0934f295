// Policy: who may publish and receive what. Default deny; every matching rule adds.
//
// Immutable after construction, so it may be read from any thread; a reload makes a new one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/identity.h"
#include "common/base/status.h"

namespace oltp20::hub {

// One [[rule]] of policy.toml, as written there.
struct PolicyRule {
  std::string who;                   // "spoke/GLOB", "hub/GLOB", "region/GLOB" or "admin/GLOB"
  std::vector<std::string> publish;  // patterns of types
  std::vector<std::string> subscribe;
  std::optional<std::vector<std::string>> via;  // for hubs: through whom; absent: any hub
  std::vector<std::string> home_of;             // for hubs: origins they may be home for
  std::vector<std::string> admin;               // "read", "write"
  int line = 0;                                 // in the file, for messages
};

class Policy {
 public:
  // Errors: invalid, naming the rule's line, the field and the remedy.
  static Result<std::shared_ptr<const Policy>> make(std::vector<PolicyRule> rules);
  // Denies everything.
  static std::shared_ptr<const Policy> deny_all();

  bool may_publish(const Identity& who, std::string_view type) const;
  bool may_receive(const Identity& who, std::string_view type) const;
  bool may_admin(const Identity& who, std::string_view verb) const;
  // Whether any rule speaks of the destination "spoke/NAME" or "region/NAME".
  bool knows_destination(std::string_view destination) const;
  // Whether any rule may let somebody whom `destination` names receive the type. In which region a
  // spoke is only its certificate says: a region's rule may be for any spoke, and the reverse.
  bool may_reach(std::string_view destination, std::string_view type) const;
  // Those subscribed patterns that the identity's permission does not cover wholly, for status.
  std::vector<std::string> narrowed(const Identity& who,
                                    const std::vector<std::string>& subscribe) const;
  const std::vector<PolicyRule>& rules() const { return rules_; }

 private:
  std::vector<PolicyRule> rules_;
};

// Whether a row addressed to `destination` (empty: whoever may) is for this spoke.
bool addressed_to(std::string_view destination, const Identity& spoke);

}  // namespace oltp20::hub
