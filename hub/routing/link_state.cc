#include "hub/routing/link_state.h"

#include <algorithm>

#include "common/base/limits.h"

namespace oltp20::hub::routing {
namespace {

// Rule 1.
bool newer(std::uint64_t version, std::uint64_t digest, const SignedAdvertisement& than) {
  return version != than.content.version ? version > than.content.version : digest > than.digest;
}

// Whether paths may differ between both.
bool same_for_paths(const Advertisement& a, const Advertisement& b) {
  return a.links == b.links && a.region == b.region && a.residency_version == b.residency_version &&
         a.place == b.place;
}

}  // namespace

LinkState::LinkState(std::string self, std::uint64_t last_version, Open open, Sign sign)
    : self_(std::move(self)),
      version_(last_version),
      open_(std::move(open)),
      sign_(std::move(sign)) {}

void LinkState::add_peer(const std::string& peer, Micros now, Outbox* out) {
  Peer& added = peers_[peer];
  added = Peer{};
  added.summary_due_us = now + limits::kSummaryPeriod;
  send_digest(peer, out);
}

void LinkState::send_digest(const std::string& peer, Outbox* out) const {
  Digest page;
  page.last = false;
  for (const auto& [hub, known] : map_) {
    if (known.expired) continue;
    if (page.entries.size() == limits::kDigestPage) {
      Digest next;
      next.after = page.entries.back().hub;
      next.last = false;
      out->sends.push_back({peer, std::move(page)});
      page = std::move(next);
    }
    page.entries.push_back(
        {hub, known.advertisement->content.version, known.advertisement->digest});
  }
  page.last = true;
  out->sends.push_back({peer, std::move(page)});
}

void LinkState::receive(const std::string& peer, const Advertisements& frame, Micros now,
                        Outbox* out) {
  if (!peers_.contains(peer)) return;
  for (const auto& bytes : frame.bytes)
    if (Status status = take(peer, bytes, now); !status)
      out->refusals.push_back({peer, std::move(status)});
}

LinkState::Known* LinkState::find(std::string_view hub) const {
  const auto at = index_.find(hub);
  return at == index_.end() ? nullptr : at->second;
}

Status LinkState::take(const std::string& peer, const std::shared_ptr<const std::string>& bytes,
                       Micros now) {
  // What is known already is not worth the price of checking a signature.
  const std::optional<Claim> claim = peek_claim(*bytes);
  if (claim) {
    if (const Known* known = find(claim->hub)) {
      const SignedAdvertisement& have = *known->advertisement;
      if (claim->version < have.content.version) {
        answer(peer, *known);
        return {};
      }
      if (claim->version == have.content.version && *bytes == *have.bytes) return {};
    } else if (map_.size() >= limits::kMapHubs && claim->hub != self_) {
      return Status(Code::exhausted, "hub " + std::string(claim->hub) +
                                         " does not fit into the map of " +
                                         std::to_string(limits::kMapHubs) +
                                         " hubs; forget hubs that will not come back");
    }
  }
  auto opened = open_(bytes);
  if (!opened) return opened.status();
  const SignedAdvertisement& heard = **opened;
  if (heard.content.hub == self_) {
    take_own(heard);
    return {};
  }
  const Known* known = find(heard.content.hub);
  if (known != nullptr && !newer(heard.content.version, heard.digest, *known->advertisement)) {
    if (heard.digest != known->advertisement->digest) answer(peer, *known);
    return {};
  }
  put(std::move(*opened), now, peer);
  return {};
}

void LinkState::take_own(const SignedAdvertisement& heard) {
  const auto own = map_.find(self_);
  if (own != map_.end() && heard.digest == own->second.advertisement->digest) return;
  if (heard.content.version < version_) return;  // an echo of what was replaced
  version_ = heard.content.version;
  outdone_ = true;
}

void LinkState::put(std::shared_ptr<const SignedAdvertisement> advertisement, Micros now,
                    const std::string& except) {
  const auto [at, added] = map_.try_emplace(advertisement->content.hub);
  Known& known = at->second;
  if (added) index_.emplace(at->first, &known);
  if (known.advertisement && !known.expired) summary_ ^= known.advertisement->digest;
  summary_ ^= advertisement->digest;
  if (!known.advertisement || known.expired ||
      !same_for_paths(known.advertisement->content, advertisement->content))
    ++revision_;
  known = {std::move(advertisement), now, false};
  for (auto& [name, peer] : peers_)
    if (name != except) peer.waiting.push_back(known.advertisement);
}

void LinkState::answer(const std::string& peer, const Known& known) {
  if (!known.expired) peers_[peer].waiting.push_back(known.advertisement);
}

void LinkState::receive(const std::string& peer, const Digest& frame, Outbox* out) {
  const auto to = peers_.find(peer);
  if (to == peers_.end()) return;
  std::string_view before = frame.after;
  for (const Digest::Entry& entry : frame.entries) {
    if (entry.hub <= before || frame.entries.size() > limits::kDigestPage) {
      out->refusals.push_back(
          {peer, Status(Code::invalid, "the digest of hub " + peer +
                                           " is out of order or too long; it is ignored, upgrade "
                                           "or repair that hub")});
      return;
    }
    before = entry.hub;
  }
  auto theirs = frame.entries.begin();
  for (auto ours = map_.upper_bound(frame.after); ours != map_.end(); ++ours) {
    if (!frame.last && ours->first > before) break;
    while (theirs != frame.entries.end() && theirs->hub < ours->first) ++theirs;
    const bool has = theirs != frame.entries.end() && theirs->hub == ours->first;
    const SignedAdvertisement& have = *ours->second.advertisement;
    if (has && (newer(theirs->version, theirs->digest, have) || theirs->digest == have.digest))
      continue;
    if (!ours->second.expired) to->second.waiting.push_back(ours->second.advertisement);
  }
}

void LinkState::receive(const std::string& peer, const Summary& frame, Micros now, Outbox* out) {
  const auto from = peers_.find(peer);
  if (from == peers_.end()) return;
  const bool differs = frame.map != summary_;
  // Once may be what is still on its way.
  if (differs && from->second.differed) {
    send_digest(peer, out);
    from->second.summary_due_us = now;  // so that the other end looks, too
  }
  from->second.differed = differs && !from->second.differed;
}

void LinkState::tick(Micros now, Outbox* out) {
  for (auto& [name, peer] : peers_) {
    if (peer.summary_due_us > now) continue;
    peer.summary_due_us = now + limits::kSummaryPeriod;
    out->sends.push_back({name, Summary{summary_}});
  }
  if (expiry_due_us_ > now) return;  // nothing can be old enough
  expiry_due_us_ = now + limits::kAdvertisementAge;
  for (auto& [hub, known] : map_) {
    if (known.expired || hub == self_) continue;
    const Micros due_us = known.heard_us + limits::kAdvertisementAge;
    if (due_us > now) {
      expiry_due_us_ = std::min(expiry_due_us_, std::max(due_us, now + kSecond));
      continue;
    }
    known.expired = true;
    summary_ ^= known.advertisement->digest;
    ++revision_;
  }
}

void LinkState::advertise(Advertisement content, Micros now) {
  content.hub = self_;
  content.version = ++version_;
  outdone_ = false;
  const std::string canonical = canonical_bytes(content);
  auto bytes = std::make_shared<const std::string>(signed_bytes(canonical, sign_(canonical)));
  // It passes the check of everyone else, or it is a bug here.
  auto opened = open_advertisement(std::move(bytes), [](const Advertisement&, std::string_view,
                                                        std::string_view) { return Status(); });
  if (!opened) std::fprintf(stderr, "%s\n", opened.status().message().c_str());
  CHECK(opened.is_ok());
  put(std::move(*opened), now, "");
}

void LinkState::flush(Outbox* out) {
  for (auto& [name, peer] : peers_) {
    Advertisements frame;
    std::size_t size = 0;
    for (const auto& advertisement : peer.waiting) {
      if (!frame.bytes.empty() &&
          size + advertisement->bytes->size() > limits::kAdvertisementsBytes) {
        out->sends.push_back({name, std::move(frame)});
        frame = {};
        size = 0;
      }
      size += advertisement->bytes->size();
      frame.bytes.push_back(advertisement->bytes);
    }
    if (!frame.bytes.empty()) out->sends.push_back({name, std::move(frame)});
    peer.waiting.clear();
  }
}

Status LinkState::forget(std::string_view hub) {
  const auto known = map_.find(hub);
  if (known == map_.end())
    return Status(Code::not_found, "the map knows no hub " + std::string(hub));
  if (!known->second.expired)
    return Status(Code::conflict, "hub " + std::string(hub) +
                                      " is still on the map; stop it and wait until its "
                                      "advertisement has expired");
  index_.erase(known->first);
  map_.erase(known);
  return {};
}

}  // namespace oltp20::hub::routing
