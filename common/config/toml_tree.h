// A TOML file as a tree of values that know their line. The parser behind it stays in the .cc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace oltp20 {

struct TomlNode {
  enum class Kind { boolean, integer, real, text, array, table, time };
  Kind kind = Kind::table;
  int line = 1;
  bool boolean = false;
  std::int64_t integer = 0;  // what is beyond 64 bits arrives as INT64_MAX
  double real = 0;
  std::string text;
  std::vector<TomlNode> items;
  std::map<std::string, TomlNode> fields;
};

// "a string", "a table", ...: for "expected X, found Y".
std::string_view kind_name(TomlNode::Kind kind);

// Errors: invalid, "NAME:LINE: ..."; malformed text, duplicates, and what toml_limits.h refuses.
Result<TomlNode> parse_toml(std::string_view text, std::string_view name);

}  // namespace oltp20
