#include "common/config/size_text.h"

#include <charconv>
#include <limits>

namespace oltp20 {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};

constexpr std::uint64_t kKibi = 1024, kKilo = 1000;
constexpr Unit kUnits[] = {
    {"TiB", kKibi* kKibi* kKibi* kKibi},
    {"GiB", kKibi* kKibi* kKibi},
    {"MiB", kKibi* kKibi},
    {"KiB", kKibi},
    {"TB", kKilo* kKilo* kKilo* kKilo},
    {"GB", kKilo* kKilo* kKilo},
    {"MB", kKilo* kKilo},
    {"KB", kKilo},
    {"B", 1},
    {"", 1},
};

Status bad_size(std::string_view text, const char* why) {
  return Status(Code::invalid, "\"" + std::string(text) + "\" is not a size: " + why +
                                   "; write a whole number and a unit, such as \"50GiB\" or "
                                   "\"512MiB\"");
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return bad_size(text, "the number is too large");
  if (error != std::errc()) return bad_size(text, "it does not begin with a digit");
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / known.bytes)
      return bad_size(text, "it is larger than any disk");
    return number * known.bytes;
  }
  return bad_size(text, "the unit is not one of B, KiB, MiB, GiB, TiB, KB, MB, GB, TB");
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) return "0B";
  for (const Unit& unit : kUnits)
    if (bytes % unit.bytes == 0) return std::to_string(bytes / unit.bytes) + std::string(unit.name);
  return std::to_string(bytes) + "B";
}

}  // namespace oltp20
