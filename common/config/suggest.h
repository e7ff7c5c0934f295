// "Did you mean": the known word that a mistyped one most likely stands for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oltp20 {

// Empty when nothing is close: more than a third of the letters would have to change.
std::string closest_word(std::string_view typed, const std::vector<std::string>& known);

// "; did you mean \"X\"?", or a list of what is known when nothing is close, or nothing.
std::string suggestion(std::string_view typed, const std::vector<std::string>& known);

}  // namespace oltp20
