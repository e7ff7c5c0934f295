// The seal of an origin's record, and the digest over all of them.
//
// An origin's record says where that origin resumes, and stays when its entries have been trimmed:
// what it says can then no longer be derived from the stream. So each record carries a seal, which
// names the one that was changed, and the head carries a digest over all seals, which also finds a
// record that was removed or put back from an earlier time. The digest is the sum of the seals
// modulo 2^256, so that a group costs two hashes for each origin that it moves, however many there
// are. Neither is keyed: whoever rewrites a record and the head together is found only by
// comparing with the entries, where they are kept, or with what the origin itself knows.
#pragma once

#include <string>

#include "hub/journal/journal.h"

namespace oltp20::hub {

// The record as it is written down, without its seal.
std::string canonical_origin(const OriginState& state);
Hash origin_seal(const OriginState& state);

void add_seal(Hash* digest, const Hash& seal);
void remove_seal(Hash* digest, const Hash& seal);

}  // namespace oltp20::hub
