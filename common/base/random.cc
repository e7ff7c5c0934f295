#include "common/base/random.h"

#include <openssl/rand.h>

#include <cstring>

#include "common/base/check.h"

namespace oltp20 {

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  std::uint64_t value = 0;
  std::memcpy(&value, fill(sizeof(value)).data(), sizeof(value));
  return value % bound;
}

std::string SecureRandom::fill(std::size_t size) {
  std::string out(size, '\0');
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size)) == 1);
  return out;
}

std::uint64_t SeededRandom::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::string SeededRandom::fill(std::size_t size) {
  std::string out;
  out.reserve(size + 8);
  while (out.size() < size) {
    std::uint64_t word = next();
    out.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  out.resize(size);
  return out;
}

}  // namespace oltp20
