// Faults that the address and undefined-behaviour lane must see: planted_memory KIND.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace {

volatile std::size_t one = 1;

// What a decoder does that believes a length: one byte behind the frame.
int overflow() {
  auto frame = std::make_unique<char[]>(16);
  return frame[15 + one];
}

int use_after_free() {
  auto frame = std::make_unique<std::string>(64, 'x');
  std::string_view view = *frame;
  frame.reset();
  return view[one];
}

int integer_overflow() {
  return std::numeric_limits<int>::max() + static_cast<int>(one);
}

// A view of nothing given to a function that takes no null pointer, through the product's reader.
int null_argument() {
  oltp20::ByteReader in(std::string_view("abc"));
  char out[4] = {};
  std::string_view nothing = in.raw(3 + one);
  std::memcpy(out, nothing.data(), nothing.size());
  return out[0];
}

int index_behind_the_end() {
  std::vector<int> list(2);
  return list[1 + one];
}

[[gnu::noinline]] void* forgotten() {
  return std::malloc(1000 + one);
}

int leak() {
  void* volatile lost = forgotten();
  lost = nullptr;
  return lost != nullptr;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view kind = count == 2 ? arguments[1] : "";
  if (kind == "overflow") return overflow();
  if (kind == "use-after-free") return use_after_free();
  if (kind == "integer-overflow") return integer_overflow() != 0 ? 0 : 0;
  if (kind == "null-argument") return null_argument();
  if (kind == "index") return index_behind_the_end();
  if (kind == "leak") return leak();
  std::fprintf(stderr, "usage: planted_memory KIND\n");
  return 2;
}
