#include "common/wire/hash_chain.h"

#include "common/base/bytes.h"
#include "common/wire/sha256.h"

namespace oltp20 {
namespace {

Hash hash_of(std::string_view bytes) {
  thread_local Sha256 sha;
  sha.update(bytes);
  return sha.finish();
}

Hash link(char domain, const Hash& previous, const Hash& content) {
  char raw[1 + 2 * Hash::size];
  raw[0] = domain;
  std::memcpy(raw + 1, previous.bytes.data(), Hash::size);
  std::memcpy(raw + 1 + Hash::size, content.bytes.data(), Hash::size);
  return hash_of({raw, sizeof(raw)});
}

}  // namespace

Hash origin_chain_start(std::string_view origin, const EpochInfo& epoch) {
  std::string canonical;
  ByteWriter out(&canonical);
  out.u8('S');
  out.str16(origin);
  out.id(epoch.id);
  out.id(epoch.parent);
  out.u64(epoch.fork.seq);
  out.id(epoch.fork.chain);
  return hash_of(canonical);
}

Hash origin_chain_next(const Hash& chain, const Hash& content) {
  return link('C', chain, content);
}

Hash stream_start(std::string_view hub, const Incarnation& incarnation,
                  const StreamPosition& parent) {
  std::string canonical;
  ByteWriter out(&canonical);
  out.u8('I');
  out.str16(hub);
  out.id(incarnation);
  out.id(parent.incarnation);
  out.u64(parent.lsn);
  out.id(parent.hash);
  return hash_of(canonical);
}

Hash stream_next(const Hash& stream, const Hash& entry) {
  return link('L', stream, entry);
}

Hash entry_leaf(std::string_view canonical) {
  thread_local Sha256 sha;
  sha.update(std::string_view("\0", 1));
  sha.update(canonical);
  return sha.finish();
}

}  // namespace oltp20
