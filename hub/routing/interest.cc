#include "hub/routing/interest.h"

#include <algorithm>
#include <map>

namespace oltp20::hub::routing {
namespace {

// Takes the first word off.
std::string_view next_word(std::string_view* rest) {
  const std::size_t dot = rest->find('.');
  const std::string_view word = rest->substr(0, dot);
  *rest = dot == std::string_view::npos ? std::string_view{} : rest->substr(dot + 1);
  return word;
}

std::size_t words(std::string_view pattern) {
  return static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '.')) + 1;
}

// The next wider pattern: `a.b.c` and `a.b.>` give `a.b.>` and `a.>`; a lone word gives `*`.
std::string widen(std::string_view pattern) {
  if (pattern == "*" || pattern == ">") return ">";
  const bool open = pattern.ends_with(".>");
  std::string_view stem = open ? pattern.substr(0, pattern.size() - 2) : pattern;
  const std::size_t dot = stem.rfind('.');
  if (dot == std::string_view::npos) return open ? ">" : "*";
  return std::string(stem.substr(0, dot)) + ".>";
}

// Sorted, and what others cover taken out. Only patterns with a wildcard cover others.
void tidy(std::vector<std::string>* patterns) {
  std::sort(patterns->begin(), patterns->end());
  patterns->erase(std::unique(patterns->begin(), patterns->end()), patterns->end());
  std::vector<std::string> wide;
  for (const std::string& pattern : *patterns)
    if (pattern.find_first_of("*>") != std::string::npos) wide.push_back(pattern);
  std::erase_if(*patterns, [&](const std::string& pattern) {
    return std::any_of(wide.begin(), wide.end(), [&](const std::string& other) {
      return other != pattern && pattern_covers(other, pattern);
    });
  });
}

}  // namespace

bool pattern_covers(std::string_view wide, std::string_view narrow) {
  while (!wide.empty() && !narrow.empty()) {
    const std::string_view want = next_word(&wide), have = next_word(&narrow);
    if (want == ">") return true;
    if (have == ">") return false;
    if (want != "*" && want != have) return false;
  }
  return wide.empty() && narrow.empty();
}

std::vector<std::string> coarsen(std::vector<std::string> patterns, std::size_t most) {
  tidy(&patterns);
  while (patterns.size() > most) {
    // Among those with the most words, the wider pattern that the most of them share.
    std::size_t longest = 0;
    for (const std::string& pattern : patterns) longest = std::max(longest, words(pattern));
    std::map<std::string, std::size_t> shared;
    for (const std::string& pattern : patterns)
      if (words(pattern) == longest) ++shared[widen(pattern)];
    const auto best =
        std::max_element(shared.begin(), shared.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    patterns.push_back(best->first);
    tidy(&patterns);
  }
  return patterns;
}

}  // namespace oltp20::hub::routing
