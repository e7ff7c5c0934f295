// Advertisement: what one hub says of itself to all. README.md writes its bytes down.
//
// Pure. Who signed, and whether a hub may bear this name and region, is the verifier's to say.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "hub/routing/distance.h"

namespace oltp20::hub::routing {

// One end's view of a link.
struct AdvertisedLink {
  std::string peer;
  std::uint32_t rtt_us = 0;   // smoothed, as measured
  std::uint32_t cost_us = 0;  // what counts: of the RTT, or the operator's word
  bool drained = false;       // used only where nothing else leads
  bool operator==(const AdvertisedLink&) const = default;
};

struct Advertisement {
  std::string hub;
  std::uint64_t version = 0;  // 1, 2, …; a higher one replaces a lower one
  std::string region;
  Incarnation incarnation;  // of its journal
  std::optional<Place> place;
  std::uint64_t residency_version = 0;  // of its region's policy
  std::vector<AdvertisedLink> links;    // ascending by peer
  std::vector<std::string> interest;    // ascending patterns: what its region wants
  bool operator==(const Advertisement&) const = default;
};

// The canonical form: what is signed.
std::string canonical_bytes(const Advertisement& advertisement);
// The canonical form and its signature: what travels.
std::string signed_bytes(const std::string& canonical, std::string_view signature);

// An advertisement that was checked, with the bytes to pass on.
struct SignedAdvertisement {
  Advertisement content;
  std::shared_ptr<const std::string> bytes;
  std::uint64_t digest = 0;  // of the canonical form: tells two of the same version apart
};

// ok: `signature` over `canonical` is that of the hub that `content` names, in that region.
using Verify = std::function<Status(const Advertisement& content, std::string_view canonical,
                                    std::string_view signature)>;

// Errors: invalid, a sentence that names hub and field; what `verify` says.
Result<std::shared_ptr<const SignedAdvertisement>> open_advertisement(
    std::shared_ptr<const std::string> bytes, const Verify& verify);

// Whom and which version the bytes claim to be, unverified: to leave out what is known already.
struct Claim {
  std::string_view hub;
  std::uint64_t version = 0;
};
std::optional<Claim> peek_claim(std::string_view bytes);

}  // namespace oltp20::hub::routing
