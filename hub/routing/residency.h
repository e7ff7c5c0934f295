// Residency: whose traffic may pass through which hub. The caller's, from the homes' signed
// policies; paths ask and obey.
#pragma once

#include <cstdint>
#include <string_view>

namespace oltp20::hub::routing {

class Residency {
 public:
  virtual ~Residency() = default;
  // Pairs of one class have the same answers to may_pass(). Few classes make few searches.
  virtual std::uint32_t class_of(std::string_view home, std::string_view follower) const = 0;
  // Whether traffic of a home on its way to a follower may be relayed by this hub of that region.
  // Not asked for home and follower themselves.
  virtual bool may_pass(std::string_view home, std::string_view follower, std::string_view hub,
                        std::string_view region) const = 0;
};

}  // namespace oltp20::hub::routing
