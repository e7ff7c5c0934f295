// Randomness, passed in: cryptographic for identifiers and secrets, seeded for jitter and tests.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/ids.h"

namespace oltp20 {

// 1. fill() returns `size` bytes. 2. It may be called from one thread at a time.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::string fill(std::size_t size) = 0;

  template <typename Id>
  Id id() {
    return Id::from(fill(Id::size));
  }
  // Uniform enough for jitter; 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound);
};

// OpenSSL's generator; for everything that must not be guessed. Thread-safe.
class SecureRandom final : public Random {
 public:
  std::string fill(std::size_t size) override;
};

// The same bytes for the same seed (splitmix64); for simulation and tests only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::string fill(std::size_t size) override;

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

}  // namespace oltp20
