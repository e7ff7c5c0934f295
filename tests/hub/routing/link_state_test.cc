#include "hub/routing/link_state.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "tests/sim/scale/network.h"

namespace oltp20::hub::routing {
namespace {

constexpr Micros kNow = 1000 * kSecond;

LinkState a_map(const std::string& self, std::uint64_t last_version = 0) {
  return LinkState(
      self, last_version,
      [](std::shared_ptr<const std::string> bytes) {
        return open_advertisement(std::move(bytes), sim::verify_signature);
      },
      [self](std::string_view canonical) { return sim::sign_as(self, canonical); });
}

Advertisement of(const std::string& hub, std::uint64_t version, std::uint8_t incarnation = 1) {
  Advertisement a;
  a.hub = hub;
  a.version = version;
  a.region = "r";
  a.incarnation.bytes[0] = incarnation;
  return a;
}

Advertisements frame_of(const Advertisement& a, const std::string& signer = "") {
  const std::string canonical = canonical_bytes(a);
  return {{std::make_shared<const std::string>(
      signed_bytes(canonical, sim::sign_as(signer.empty() ? a.hub : signer, canonical)))}};
}

// "PEER: HUB@VERSION …" of what a map sends.
std::vector<std::string> said(LinkState* map) {
  Outbox out;
  map->flush(&out);
  std::vector<std::string> lines;
  for (const auto& send : out.sends) {
    std::string line = send.peer + ":";
    for (const auto& bytes : std::get<Advertisements>(send.frame).bytes) {
      const Claim claim = *peek_claim(*bytes);
      line += " " + std::string(claim.hub) + "@" + std::to_string(claim.version);
    }
    lines.push_back(line);
  }
  return lines;
}
using Lines = std::vector<std::string>;

struct Fixture {
  LinkState map = a_map("me");
  Outbox out;
  Fixture() {
    map.advertise(of("me", 0), kNow);
    for (const char* peer : {"p", "q", "r"}) map.add_peer(peer, kNow, &out);
    (void)said(&map);
    out = {};
  }
  void hear(const std::string& peer, const Advertisement& a, Micros now = kNow) {
    map.receive(peer, frame_of(a), now, &out);
  }
  std::uint64_t version_of(const std::string& hub) {
    const auto at = map.map().find(hub);
    return at == map.map().end() ? 0 : at->second.advertisement->content.version;
  }
};

TEST(LinkState, FloodsWhatIsNewToAllPeersButTheSender) {
  Fixture f;
  f.hear("p", of("x", 4));
  EXPECT_EQ(said(&f.map), (Lines{"q: x@4", "r: x@4"}));
  f.hear("q", of("x", 4));
  EXPECT_EQ(said(&f.map), Lines{});
}

TEST(LinkState, KeepsTheNewestAndAnswersWhatIsOld) {
  Fixture f;
  f.hear("p", of("x", 4));
  (void)said(&f.map);
  f.hear("q", of("x", 3));
  EXPECT_EQ(f.version_of("x"), 4u);
  EXPECT_EQ(said(&f.map), (Lines{"q: x@4"}));
  f.hear("q", of("x", 5));
  EXPECT_EQ(f.version_of("x"), 5u);
  EXPECT_EQ(said(&f.map), (Lines{"p: x@5", "r: x@5"}));
}

TEST(LinkState, OfTwoWithTheSameVersionAllHubsKeepTheSameOne) {
  Fixture f, g;
  f.hear("p", of("x", 4, 1));
  f.hear("q", of("x", 4, 2));
  g.hear("p", of("x", 4, 2));
  g.hear("q", of("x", 4, 1));
  EXPECT_EQ(f.map.map().find("x")->second.advertisement->content,
            g.map.map().find("x")->second.advertisement->content);
  EXPECT_EQ(f.map.summary(), g.map.summary());
}

TEST(LinkState, AHubCanAdvertiseOnlyForItself) {
  Fixture f;
  f.map.receive("p", frame_of(of("x", 4), "p"), kNow, &f.out);
  ASSERT_EQ(f.out.refusals.size(), 1u);
  EXPECT_EQ(f.out.refusals[0].peer, "p");
  EXPECT_EQ(f.out.refusals[0].status.code(), Code::denied);
  EXPECT_EQ(f.version_of("x"), 0u);
  EXPECT_EQ(said(&f.map), Lines{});
  // Nor for this one.
  f.map.receive("p", frame_of(of("me", 99), "p"), kNow, &f.out);
  EXPECT_FALSE(f.map.outdone());
}

TEST(LinkState, WhatIsRefusedLeavesTheRestOfItsFrameAlone) {
  Fixture f;
  Advertisements frame = frame_of(of("x", 4));
  frame.bytes.insert(frame.bytes.begin(), std::make_shared<const std::string>("rubbish"));
  frame.bytes.insert(frame.bytes.begin(), std::make_shared<const std::string>(""));
  f.map.receive("p", frame, kNow, &f.out);
  EXPECT_EQ(f.out.refusals.size(), 2u);
  EXPECT_EQ(f.version_of("x"), 4u);
}

TEST(LinkState, AfterAWipeAHubExceedsTheHighestVersionOfItselfThatItHears) {
  Fixture f;
  EXPECT_EQ(f.map.version(), 1u);
  f.hear("p", of("me", 57, 9));
  f.hear("q", of("me", 41, 9));
  EXPECT_TRUE(f.map.outdone());
  f.map.advertise(of("me", 0), kNow);
  EXPECT_FALSE(f.map.outdone());
  EXPECT_EQ(f.version_of("me"), 58u);
  EXPECT_EQ(said(&f.map), (Lines{"p: me@58", "q: me@58", "r: me@58"}));
  // What others still have of the earlier life is answered and no reason to go on.
  f.hear("q", of("me", 57, 9));
  EXPECT_FALSE(f.map.outdone());
  EXPECT_EQ(said(&f.map), (Lines{"q: me@58"}));
}

TEST(LinkState, AnEarlierLifeWithTheVeryVersionIsExceededToo) {
  Fixture f;
  f.hear("p", of("me", 1, 9));
  EXPECT_TRUE(f.map.outdone());
}

TEST(LinkState, WhatAgesLeavesTheGraphButItsInterestHolds) {
  Fixture f;
  Advertisement x = of("x", 4);
  x.interest = {"order.>"};
  f.hear("p", x);
  (void)said(&f.map);
  const std::uint64_t revision = f.map.revision(), summary = f.map.summary();
  f.map.tick(kNow + limits::kAdvertisementAge - 1, &f.out);
  EXPECT_EQ(f.map.revision(), revision);
  f.map.tick(kNow + limits::kAdvertisementAge + kSecond, &f.out);
  EXPECT_NE(f.map.revision(), revision);
  EXPECT_NE(f.map.summary(), summary);
  const auto& known = f.map.map().find("x")->second;
  EXPECT_TRUE(known.expired);
  EXPECT_EQ(known.advertisement->content.interest, (Lines{"order.>"}));
  EXPECT_FALSE(f.map.map().find("me")->second.expired);
  // Somebody passes the same on late: the dead do not rise.
  f.hear("q", x, kNow + limits::kAdvertisementAge + 2 * kSecond);
  EXPECT_TRUE(f.map.map().find("x")->second.expired);
  EXPECT_EQ(said(&f.map), Lines{});
  // A life sign is another thing.
  f.hear("q", of("x", 5), kNow + limits::kAdvertisementAge + 2 * kSecond);
  EXPECT_FALSE(f.map.map().find("x")->second.expired);
}

TEST(LinkState, OnlyWhatHasExpiredCanBeForgotten) {
  Fixture f;
  f.hear("p", of("x", 4));
  EXPECT_EQ(f.map.forget("x").code(), Code::conflict);
  EXPECT_EQ(f.map.forget("y").code(), Code::not_found);
  f.map.tick(kNow + limits::kAdvertisementAge + kSecond, &f.out);
  EXPECT_TRUE(f.map.forget("x").is_ok());
  EXPECT_FALSE(f.map.map().contains("x"));
}

TEST(LinkState, HoldsNoMoreHubsThanItsBound) {
  Fixture f;
  for (std::size_t i = 0; i < limits::kMapHubs + 10; ++i)
    f.hear("p", of("x" + std::to_string(i), 1));
  EXPECT_EQ(f.map.map().size(), limits::kMapHubs);
  ASSERT_EQ(f.out.refusals.size(), 11u);
  EXPECT_EQ(f.out.refusals[0].status.code(), Code::exhausted);
  EXPECT_NE(f.out.refusals[0].status.message().find("forget hubs"), std::string::npos);
  f.hear("p", of("x5", 2));  // who is there already goes on
  EXPECT_EQ(f.version_of("x5"), 2u);
}

// Carries everything that two maps say to each other until both are silent; digests' pages counted.
std::size_t talk(LinkState* a, LinkState* b) {
  Outbox from_a, from_b;
  a->add_peer(b->self(), kNow, &from_a);
  b->add_peer(a->self(), kNow, &from_b);
  std::size_t pages = 0;
  for (int round = 0; round < 10; ++round) {
    a->flush(&from_a);
    b->flush(&from_b);
    Outbox next_a, next_b;
    const auto carry = [&](Outbox* out, LinkState* from, LinkState* to, Outbox* next) {
      for (auto& send : out->sends) {
        if (send.peer != to->self()) continue;
        if (const auto* digest = std::get_if<Digest>(&send.frame)) {
          ++pages;
          EXPECT_LE(digest->entries.size(), limits::kDigestPage);
          to->receive(from->self(), *digest, next);
        } else if (const auto* ads = std::get_if<Advertisements>(&send.frame)) {
          to->receive(from->self(), *ads, kNow, next);
        }
      }
    };
    carry(&from_a, a, b, &next_b);
    carry(&from_b, b, a, &next_a);
    from_a = std::move(next_a);
    from_b = std::move(next_b);
  }
  return pages;
}

TEST(LinkState, ANewPeerLearnsEverythingAndTeachesWhatItKnows) {
  LinkState a = a_map("a"), b = a_map("b");
  Outbox out;
  a.add_peer("x", kNow, &out);
  b.add_peer("x", kNow, &out);
  for (int i = 0; i < 3000; ++i) {
    const std::string hub = "h" + std::to_string(i);
    if (i % 3 != 0) a.receive("x", frame_of(of(hub, 5 + i % 2)), kNow, &out);
    if (i % 3 != 1) b.receive("x", frame_of(of(hub, 5 + i % 5 % 2)), kNow, &out);
  }
  a.advertise(of("a", 0), kNow);
  b.advertise(of("b", 0), kNow);
  EXPECT_NE(a.summary(), b.summary());
  EXPECT_EQ(talk(&a, &b), 4u);
  EXPECT_EQ(a.map().size(), 3002u);
  EXPECT_EQ(a.summary(), b.summary());
}

TEST(LinkState, PeersThatDifferTwiceCompareTheirMaps) {
  Fixture f;
  f.hear("p", of("x", 4));
  (void)said(&f.map);
  f.out = {};
  f.map.receive("q", Summary{123}, kNow, &f.out);
  EXPECT_TRUE(f.out.sends.empty());  // it may be on its way
  f.map.receive("q", Summary{123}, kNow + limits::kSummaryPeriod, &f.out);
  ASSERT_EQ(f.out.sends.size(), 1u);
  EXPECT_EQ(std::get<Digest>(f.out.sends[0].frame).entries.size(), 2u);
  f.map.receive("q", Summary{f.map.summary()}, kNow, &f.out);
  f.map.receive("q", Summary{123}, kNow, &f.out);
  EXPECT_EQ(f.out.sends.size(), 1u);
}

TEST(LinkState, ADigestThatIsOutOfOrderIsRefused) {
  Fixture f;
  f.hear("p", of("x", 4));
  (void)said(&f.map);
  f.map.receive("q", Digest{"", {{"b", 1, 1}, {"a", 1, 1}}, true}, &f.out);
  f.map.receive("q", Digest{"m", {{"b", 1, 1}}, true}, &f.out);
  EXPECT_EQ(f.out.refusals.size(), 2u);
  EXPECT_EQ(said(&f.map), Lines{});
  f.map.receive("q", Digest{"", {{"a", 1, 1}, {"x", 3, 1}}, false}, &f.out);
  EXPECT_EQ(said(&f.map), (Lines{"q: me@1 x@4"}));
}

TEST(LinkState, FramesAreBounded) {
  Fixture f;
  Advertisement big = of("x", 1);
  for (int i = 100; i < 160; ++i) big.interest.push_back(std::string(250, 'w') + std::to_string(i));
  for (int i = 0; i < 100; ++i) {
    big.hub = "x" + std::to_string(i);
    f.hear("p", big);
  }
  Outbox out;
  f.map.flush(&out);
  EXPECT_GT(out.sends.size(), 8u);
  for (const auto& send : out.sends) {
    std::size_t size = 0;
    for (const auto& bytes : std::get<Advertisements>(send.frame).bytes) size += bytes->size();
    EXPECT_LE(size, limits::kAdvertisementsBytes);
  }
}

}  // namespace
}  // namespace oltp20::hub::routing
