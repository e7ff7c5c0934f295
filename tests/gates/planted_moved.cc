// A value used after it was moved away: clang-tidy with the repository's list must report it.
#include <string>
#include <utility>

void keep(std::string text);

std::size_t length_of(std::string text) {
  keep(std::move(text));
  return text.size();
}
