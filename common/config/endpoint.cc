#include "common/config/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace oltp20 {
namespace {

Status bad(std::string_view text, const std::string& why) {
  return Status(Code::invalid, "\"" + std::string(text) + "\" is not HOST:PORT: " + why +
                                   "; write for instance \"127.0.0.1:7420\" or \"[::1]:7420\"");
}

bool is_host_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
}

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

std::string Endpoint::text() const {
  bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Endpoint::is_loopback() const {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

Result<Endpoint> parse_endpoint(std::string_view text, PortZero port_zero) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad(text, "there is no port");
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);

  Endpoint out;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    out.host = host.substr(1, host.size() - 2);
    if (!is_ipv6(out.host)) return bad(text, "what stands in brackets is not an IPv6 address");
  } else {
    out.host = host;
    if (host.empty()) return bad(text, "there is no host");
    if (host.find(':') != std::string_view::npos)
      return bad(text, "an IPv6 address needs brackets");
    if (!std::all_of(host.begin(), host.end(), is_host_character))
      return bad(text, "the host has a character that host names do not have");
  }
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc() || end != port.data() + port.size())
    return bad(text, "the port is not a number from 1 to 65535");
  if (out.port == 0 && port_zero == PortZero::refused)
    return bad(text, "port 0 is nowhere to connect to");
  return out;
}

}  // namespace oltp20
