#include "hub/routing/advertisement.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "tests/sim/scale/network.h"

namespace oltp20::hub::routing {
namespace {

Advertisement an_advertisement() {
  Advertisement a;
  a.hub = "eu-1";
  a.version = 7;
  a.region = "europe";
  a.incarnation.bytes[0] = 9;
  a.place = Place{53'350'000, -6'260'000};
  a.residency_version = 3;
  a.links = {{"ap-1", 150'000, 151'000, false}, {"us-1", 80'000, 80'000, true}};
  a.interest = {"greeting", "order.>"};
  return a;
}

Result<std::shared_ptr<const SignedAdvertisement>> open(const std::string& bytes) {
  return open_advertisement(std::make_shared<const std::string>(bytes), sim::verify_signature);
}

std::string sent(const Advertisement& a, const std::string& signer) {
  const std::string canonical = canonical_bytes(a);
  return signed_bytes(canonical, sim::sign_as(signer, canonical));
}

TEST(Advertisement, SaysTheSameAfterItTravelled) {
  const auto opened = open(sent(an_advertisement(), "eu-1"));
  ASSERT_TRUE(opened.is_ok()) << opened.status().message();
  EXPECT_EQ((*opened)->content, an_advertisement());
  Advertisement nowhere = an_advertisement();
  nowhere.place.reset();
  EXPECT_EQ((*open(sent(nowhere, "eu-1")))->content, nowhere);
}

TEST(Advertisement, HasTheBytesThatTheReadmeWritesDown) {
  Advertisement a;
  a.hub = "h";
  a.version = 0x0102;
  a.region = "r";
  a.incarnation.bytes[15] = 0xff;
  a.links = {{"p", 5000, 6000, true}};
  a.interest = {"x"};
  EXPECT_EQ(to_hex(signed_bytes(canonical_bytes(a), "S")),
            "4101"  // letter A, format 1
            "010068"
            "0201000000000000"                  // hub, version
            "010072"                            // region
            "000000000000000000000000000000ff"  // incarnation
            "00"
            "0000000000000000"  // no place, residency version
            "0100"
            "010070"
            "88130000"
            "70170000"
            "01"
            "0100"
            "010078"
            "010053");
}

TEST(Advertisement, OfAnotherThanItsSignerIsRefused) {
  const auto opened = open(sent(an_advertisement(), "us-1"));
  EXPECT_EQ(opened.status().code(), Code::denied);
}

TEST(Advertisement, IsRefusedWhenAnyByteIsChangedOrMissing) {
  const std::string good = sent(an_advertisement(), "eu-1");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 0x20);
    EXPECT_FALSE(open(changed).is_ok()) << i;
    EXPECT_FALSE(open(good.substr(0, i)).is_ok()) << i;
  }
  EXPECT_FALSE(open(good + "x").is_ok());
}

// What is signed by its own hub and nevertheless nonsense.
void expect_refused(const std::string& part, const std::function<void(Advertisement*)>& spoil) {
  Advertisement a = an_advertisement();
  spoil(&a);
  const auto opened = open(sent(a, a.hub));
  ASSERT_FALSE(opened.is_ok()) << part;
  EXPECT_EQ(opened.status().code(), Code::invalid);
  EXPECT_NE(opened.status().message().find(part), std::string::npos) << opened.status().message();
  EXPECT_NE(opened.status().message().find("; it is ignored"), std::string::npos);
}

TEST(Advertisement, ThatIsOversizedOrHostileIsRefusedWithASentence) {
  expect_refused("no valid name", [](auto* a) { a->hub = "a b"; });
  expect_refused("no valid region", [](auto* a) { a->region = ""; });
  expect_refused("version out of range", [](auto* a) { a->version = 0; });
  expect_refused("version out of range", [](auto* a) { a->version = limits::kSeq + 1; });
  expect_refused("no incarnation", [](auto* a) { a->incarnation = {}; });
  expect_refused("no place", [](auto* a) { a->place->latitude_udeg = 90'000'001; });
  expect_refused("itself as a peer", [](auto* a) { a->links[0].peer = "eu-1"; });
  expect_refused("out of order or twice", [](auto* a) { a->links[1].peer = "ap-1"; });
  expect_refused("out of range for peer ap-1", [](auto* a) { a->links[0].cost_us = 0; });
  expect_refused("out of range for peer ap-1", [](auto* a) { a->links[0].rtt_us = 3'000'001; });
  expect_refused("no pattern", [](auto* a) { a->interest[0] = "a..b"; });
  expect_refused("out of order or twice", [](auto* a) { a->interest = {"b", "a"}; });
  expect_refused("more than the 64 of a hub", [](auto* a) {
    a->links.clear();
    for (int i = 100; i < 165; ++i) a->links.push_back({"p" + std::to_string(i), 1, 1, false});
  });
  expect_refused("more than the 64 of a region", [](auto* a) {
    a->interest.clear();
    for (int i = 100; i < 165; ++i) a->interest.push_back("t" + std::to_string(i));
  });
  const auto large = open(std::string(limits::kAdvertisementBytes + 1, 'A'));
  EXPECT_NE(large.status().message().find("more than the"), std::string::npos);
}

TEST(Advertisement, OfTheGreatestSizeThatIsPermittedIsTaken) {
  Advertisement a = an_advertisement();
  a.links.clear();
  a.interest.clear();
  for (int i = 100; i < 164; ++i) {
    a.links.push_back({std::string(60, 'p') + std::to_string(i), 1, 1, false});
    a.interest.push_back(std::string(252, 't') + std::to_string(i));
  }
  const std::string canonical = canonical_bytes(a);
  EXPECT_LE(canonical.size() + limits::kSignatureBytes + 2, limits::kAdvertisementBytes);
  const auto opened = open(sent(a, "eu-1"));
  EXPECT_TRUE(opened.is_ok()) << opened.status().message();
}

// One form for one meaning: what is taken, with whatever bytes changed, says again what was signed.
TEST(Advertisement, HasOneFormOnly) {
  const auto anyone = [](const Advertisement&, std::string_view, std::string_view) {
    return Status();
  };
  sim::Dice dice(5, "bytes");
  const std::string good = sent(an_advertisement(), "eu-1");
  std::size_t taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (std::uint64_t more = 1 + dice.below(3); more > 0; --more)
      bytes[dice.below(bytes.size())] = static_cast<char>(dice.below(256));
    if (dice.chance(10)) bytes.resize(dice.below(bytes.size()));
    const auto opened = open_advertisement(std::make_shared<const std::string>(bytes), anyone);
    if (!opened) continue;
    ++taken;
    const std::string canonical = canonical_bytes((*opened)->content);
    ASSERT_EQ(bytes.substr(0, canonical.size()), canonical);
    ASSERT_EQ(bytes.size(), canonical.size() + 2 + 64);
  }
  EXPECT_GT(taken, 100u);
}

TEST(Distance, IsThatOfTheGreatCircleAndLightInFibreSetsTheFloor) {
  const Place dublin{53'350'000, -6'260'000}, sydney{-33'870'000, 151'210'000};
  EXPECT_NEAR(distance_km(dublin, sydney), 17'215, 30);
  EXPECT_NEAR(static_cast<double>(floor_rtt_us(dublin, sydney)), 172'150, 300);
  EXPECT_EQ(floor_rtt_us(dublin, dublin), 0);
  // Across the date line it is not far.
  EXPECT_LT(distance_km({0, 179'900'000}, {0, -179'900'000}), 23);
}

}  // namespace
}  // namespace oltp20::hub::routing
