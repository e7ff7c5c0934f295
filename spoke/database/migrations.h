// The texts of sql/, embedded when the program is built, in order of their numbers.
#pragma once

#include <string_view>
#include <vector>

namespace oltp20::spoke {

struct Migration {
  int number = 0;
  std::string_view name;
  std::string_view text;
};

const std::vector<Migration>& migrations();

}  // namespace oltp20::spoke
