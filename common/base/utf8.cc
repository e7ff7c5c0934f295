#include "common/base/utf8.h"

#include <cstdint>

namespace oltp20 {
namespace {

struct Lead {
  std::uint8_t first, last;   // the leading byte lies in this range
  int following;              // bytes behind it
  std::uint8_t second, upto;  // and the second byte in this one; the others in [0x80, 0xBF]
};
constexpr Lead kLeads[] = {
    {0x00, 0x7F, 0, 0, 0},       {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF},
    {0xE1, 0xEC, 2, 0x80, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
    {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

// The length of the character that the text begins with; 0: it begins with none.
std::size_t character_bytes(std::string_view text) {
  auto in = [&](std::size_t at, std::uint8_t low, std::uint8_t high) {
    return at < text.size() && static_cast<std::uint8_t>(text[at]) >= low &&
           static_cast<std::uint8_t>(text[at]) <= high;
  };
  for (const Lead& lead : kLeads) {
    if (!in(0, lead.first, lead.last)) continue;
    for (int i = 1; i <= lead.following; ++i)
      if (!in(static_cast<std::size_t>(i), i == 1 ? lead.second : 0x80, i == 1 ? lead.upto : 0xBF))
        return 0;
    return 1 + static_cast<std::size_t>(lead.following);
  }
  return 0;
}

}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t bytes = character_bytes(text.substr(at));
    if (bytes == 0) return at;
    at += bytes;
  }
  return std::nullopt;
}

}  // namespace oltp20
