// Where to listen or connect: "127.0.0.1:7420", "hub.example:7420", "[::1]:7420".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/status.h"

namespace oltp20 {

struct Endpoint {
  std::string host;  // without brackets
  std::uint16_t port = 0;

  bool operator==(const Endpoint&) const = default;
  std::string text() const;  // "host:port", with brackets round an IPv6 address
  // Whether only this machine can reach it, judged by the text: nothing is resolved.
  bool is_loopback() const;
};

enum class PortZero { refused, allowed };  // 0 lets the system choose; for listening only

// Errors: invalid, showing the expected form.
Result<Endpoint> parse_endpoint(std::string_view text, PortZero port_zero);

}  // namespace oltp20
