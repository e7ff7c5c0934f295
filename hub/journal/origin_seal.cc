#include "hub/journal/origin_seal.h"

#include "common/base/bytes.h"
#include "common/wire/sha256.h"

namespace oltp20::hub {

std::string canonical_origin(const OriginState& state) {
  std::string bytes;
  bytes.reserve(256);
  ByteWriter out(&bytes);
  out.str16(state.origin);
  out.id(state.life.id);
  out.id(state.life.parent);
  out.u64(state.life.fork.seq);
  out.id(state.life.fork.chain);
  out.u64(state.base);
  out.u64(state.last.seq);
  out.id(state.last.chain);
  out.u64(state.lsn);
  return bytes;
}

Hash origin_seal(const OriginState& state) {
  thread_local Sha256 sha;
  sha.update(std::string_view("O", 1));
  sha.update(canonical_origin(state));
  return sha.finish();
}

void add_seal(Hash* digest, const Hash& seal) {
  unsigned carry = 0;
  for (std::size_t i = 0; i < Hash::size; ++i) {
    carry += static_cast<unsigned>(digest->bytes[i]) + seal.bytes[i];
    digest->bytes[i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

void remove_seal(Hash* digest, const Hash& seal) {
  int borrow = 0;
  for (std::size_t i = 0; i < Hash::size; ++i) {
    int left = digest->bytes[i] - seal.bytes[i] - borrow;
    borrow = left < 0;
    digest->bytes[i] = static_cast<std::uint8_t>(left + (borrow << 8));
  }
}

}  // namespace oltp20::hub
