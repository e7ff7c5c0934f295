#include "common/base/subject.h"

#include "common/base/limits.h"

namespace oltp20 {
namespace {

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Splits off the first word; `rest` is what follows its dot. False at the end.
bool next_word(std::string_view* rest, std::string_view* word, bool* more) {
  if (!*more) return false;
  std::size_t dot = rest->find('.');
  *word = rest->substr(0, dot);
  *more = dot != std::string_view::npos;
  *rest = *more ? rest->substr(dot + 1) : std::string_view{};
  return true;
}

bool is_word(std::string_view word) {
  if (word.empty()) return false;
  for (char c : word)
    if (!is_word_character(c)) return false;
  return true;
}

}  // namespace

bool is_type(std::string_view text) {
  if (text.size() > limits::kTypeBytes) return false;
  std::string_view word;
  for (bool more = true; next_word(&text, &word, &more);)
    if (!is_word(word)) return false;
  return true;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > limits::kNameBytes) return false;
  for (char c : text)
    if (!is_word_character(c) && c != '.') return false;
  return true;
}

bool is_destination(std::string_view text) {
  for (std::string_view kind : {"spoke/", "region/"})
    if (text.starts_with(kind)) return is_name(text.substr(kind.size()));
  return false;
}

Status check_pattern(std::string_view pattern) {
  std::string_view rest = pattern, word;
  for (bool more = true; next_word(&rest, &word, &more);) {
    bool last = !more;
    if (word == "*" || (word == ">" && last) || is_word(word)) continue;
    return Status(
        Code::invalid,
        "\"" + std::string(pattern) +
            "\" is not a pattern of types: write words of letters, digits, _ and - joined "
            "by dots, where * stands for one word and > (only at the end) for the rest");
  }
  return {};
}

bool subject_matches(std::string_view pattern, std::string_view type) {
  bool more_pattern = true, more_type = true;
  std::string_view want, have;
  while (next_word(&pattern, &want, &more_pattern)) {
    if (!next_word(&type, &have, &more_type)) return false;
    if (want == ">") return true;
    if (want != "*" && want != have) return false;
  }
  return !more_type;
}

bool any_subject_matches(const std::vector<std::string>& patterns, std::string_view type) {
  for (const std::string& pattern : patterns)
    if (subject_matches(pattern, type)) return true;
  return false;
}

bool name_matches(std::string_view glob, std::string_view name) {
  std::size_t g = 0, n = 0, star = std::string_view::npos, mark = 0;
  while (n < name.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      mark = n;
    } else if (g < glob.size() && glob[g] == name[n]) {
      ++g, ++n;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace oltp20
