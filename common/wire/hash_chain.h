// The two hash chains. README.md writes the canonical forms down.
//
// - Of an (origin, epoch): chain(n) = H(chain(n-1), content hash of n); it starts from the epoch's
//   name and its parent, so that two lives never share a position.
// - Of a hub's stream: stream(lsn) = H(stream(lsn-1), entry hash of lsn). Entry hashes carry the
// leaf
//   prefix of RFC 6962, so that they can be the leaves of a Merkle log.
#pragma once

#include <string_view>

#include "common/base/ids.h"

namespace oltp20 {

Hash origin_chain_start(std::string_view origin, const EpochInfo& epoch);
Hash origin_chain_next(const Hash& chain, const Hash& content);

Hash stream_start(std::string_view hub, const Incarnation& incarnation,
                  const StreamPosition& parent);
Hash stream_next(const Hash& stream, const Hash& entry);
// The leaf hash of an entry's canonical bytes.
Hash entry_leaf(std::string_view canonical);

}  // namespace oltp20
