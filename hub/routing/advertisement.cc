#include "hub/routing/advertisement.h"

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/subject.h"
#include "common/wire/sha256.h"

namespace oltp20::hub::routing {
namespace {

constexpr std::uint8_t kLetter = 'A', kFormat = 1;
constexpr std::uint8_t kHasPlace = 1, kDrained = 1;

Status bad(std::string_view hub, const std::string& what) {
  return Status(Code::invalid, "the advertisement of hub " +
                                   std::string(hub.empty() ? "(unnamed)" : hub) + " " + what +
                                   "; it is ignored, upgrade or repair that hub");
}

Status check_numbers(const Advertisement& a) {
  if (!is_name(a.hub)) return bad("", "has no valid name");
  if (!is_name(a.region)) return bad(a.hub, "has no valid region");
  if (a.version == 0 || a.version > limits::kSeq) return bad(a.hub, "has a version out of range");
  if (a.incarnation.is_zero()) return bad(a.hub, "names no incarnation");
  if (a.place && !is_place(*a.place)) return bad(a.hub, "has coordinates that are no place");
  return {};
}

Status check_lists(const Advertisement& a) {
  std::string_view before;
  for (const AdvertisedLink& link : a.links) {
    if (!is_name(link.peer)) return bad(a.hub, "names a peer that is no name");
    if (link.peer == a.hub) return bad(a.hub, "names itself as a peer");
    if (link.peer <= before) return bad(a.hub, "lists its peers out of order or twice");
    if (link.cost_us == 0 || link.cost_us > limits::kRttMost || link.rtt_us > limits::kRttMost)
      return bad(a.hub, "has a cost or RTT out of range for peer " + link.peer);
    before = link.peer;
  }
  before = {};
  for (const std::string& pattern : a.interest) {
    if (pattern.size() > limits::kTypeBytes || !check_pattern(pattern))
      return bad(a.hub, "wants something that is no pattern");
    if (pattern <= before) return bad(a.hub, "lists what it wants out of order or twice");
    before = pattern;
  }
  return {};
}

Status read_lists(ByteReader* in, Advertisement* a) {
  const std::size_t links = in->u16();
  if (links > limits::kMapPeers)
    return bad(a->hub, "lists " + std::to_string(links) + " peers, more than the " +
                           std::to_string(limits::kMapPeers) + " of a hub");
  for (std::size_t i = 0; i < links && in->ok(); ++i) {
    AdvertisedLink link;
    link.peer = in->str16();
    link.rtt_us = in->u32();
    link.cost_us = in->u32();
    const std::uint8_t flags = in->u8();
    if ((flags & ~kDrained) != 0) return bad(a->hub, "has unknown flags");
    link.drained = (flags & kDrained) != 0;
    a->links.push_back(std::move(link));
  }
  const std::size_t patterns = in->u16();
  if (patterns > limits::kInterestPatterns)
    return bad(a->hub, "wants " + std::to_string(patterns) + " patterns, more than the " +
                           std::to_string(limits::kInterestPatterns) + " of a region");
  for (std::size_t i = 0; i < patterns && in->ok(); ++i) a->interest.emplace_back(in->str16());
  return {};
}

Status read_canonical(ByteReader* in, Advertisement* a) {
  if (in->u8() != kLetter) return bad("", "does not begin as one");
  if (const int format = in->u8(); in->ok() && format != kFormat)
    return bad("", "has format " + std::to_string(format) + ", and this hub reads format 1");
  a->hub = in->str16();
  a->version = in->u64();
  a->region = in->str16();
  a->incarnation = in->id<Incarnation>();
  const std::uint8_t flags = in->u8();
  if ((flags & ~kHasPlace) != 0) return bad("", "has unknown flags");
  if ((flags & kHasPlace) != 0) {
    Place place;
    place.latitude_udeg = in->i32();
    place.longitude_udeg = in->i32();
    a->place = place;
  }
  a->residency_version = in->u64();
  if (!in->ok()) return bad("", "ends too early");
  OLTP20_TRY(check_numbers(*a));
  return read_lists(in, a);
}

std::uint64_t digest_of_canonical(std::string_view canonical) {
  Sha256 sha;
  sha.update(canonical);
  const Hash hash = sha.finish();
  return ByteReader(hash.view()).u64();
}

}  // namespace

std::string canonical_bytes(const Advertisement& a) {
  std::string out;
  ByteWriter to(&out);
  to.u8(kLetter);
  to.u8(kFormat);
  to.str16(a.hub);
  to.u64(a.version);
  to.str16(a.region);
  to.id(a.incarnation);
  to.u8(a.place ? kHasPlace : 0);
  if (a.place) {
    to.i32(a.place->latitude_udeg);
    to.i32(a.place->longitude_udeg);
  }
  to.u64(a.residency_version);
  to.u16(static_cast<std::uint16_t>(a.links.size()));
  for (const AdvertisedLink& link : a.links) {
    to.str16(link.peer);
    to.u32(link.rtt_us);
    to.u32(link.cost_us);
    to.u8(link.drained ? kDrained : 0);
  }
  to.u16(static_cast<std::uint16_t>(a.interest.size()));
  for (const std::string& pattern : a.interest) to.str16(pattern);
  return out;
}

std::string signed_bytes(const std::string& canonical, std::string_view signature) {
  CHECK(signature.size() <= limits::kSignatureBytes);
  std::string out = canonical;
  ByteWriter(&out).str16(signature);
  return out;
}

Result<std::shared_ptr<const SignedAdvertisement>> open_advertisement(
    std::shared_ptr<const std::string> bytes, const Verify& verify) {
  if (bytes->size() > limits::kAdvertisementBytes)
    return bad("", "has " + std::to_string(bytes->size()) + " bytes, more than the " +
                       std::to_string(limits::kAdvertisementBytes) + " of one");
  auto out = std::make_shared<SignedAdvertisement>();
  ByteReader in(*bytes);
  OLTP20_TRY(read_canonical(&in, &out->content));
  const std::size_t signed_size = bytes->size() - in.remaining();
  const std::string_view signature = in.str16();
  if (!in.at_end()) return bad(out->content.hub, "ends too early or too late");
  if (signature.size() > limits::kSignatureBytes)
    return bad(out->content.hub, "has a signature that is too long");
  OLTP20_TRY(check_lists(out->content));
  const std::string_view canonical = std::string_view(*bytes).substr(0, signed_size);
  OLTP20_TRY(verify(out->content, canonical, signature));
  out->digest = digest_of_canonical(canonical);
  out->bytes = std::move(bytes);
  return std::shared_ptr<const SignedAdvertisement>(std::move(out));
}

std::optional<Claim> peek_claim(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kLetter || in.u8() != kFormat) return std::nullopt;
  Claim claim;
  claim.hub = in.str16();
  claim.version = in.u64();
  if (!in.ok()) return std::nullopt;
  return claim;
}

}  // namespace oltp20::hub::routing
