// Who is speaking: the one URI name of a certificate.
//
//   spiffe://TRUST-DOMAIN/region/REGION/hub/NAME
//   spiffe://TRUST-DOMAIN/region/REGION/spoke/NAME
//   spiffe://TRUST-DOMAIN/admin/NAME
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"

namespace oltp20 {

struct Identity {
  enum class Kind { hub, spoke, admin };
  Kind kind = Kind::spoke;
  std::string trust_domain;
  std::string region;  // empty for admins
  std::string name;

  bool operator==(const Identity&) const = default;
  // "hub/NAME", "spoke/NAME" or "admin/NAME": the form that policy, logs and metrics use.
  std::string label() const;
  std::string uri() const;
};

// Errors: invalid, with a sentence that shows the expected form.
Result<Identity> parse_identity(std::string_view uri);

}  // namespace oltp20
