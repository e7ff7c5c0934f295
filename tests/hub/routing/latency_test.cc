#include "hub/routing/latency.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"

namespace oltp20::hub::routing {
namespace {

// Two ends whose clocks have nothing to do with each other.
struct Pair {
  LinkMonitor a, b;
  Micros now = 1000 * kSecond, skew = -777 * kSecond;
  Micros there_us = 20'000, back_us = 20'000;
  bool a_to_b = true, b_to_a = true;
  std::vector<std::pair<Micros, Heartbeat>> to_b, to_a;

  Pair() {
    a.open(now);
    b.open(now + skew);
  }
  void run(Micros duration) {
    for (const Micros end = now + duration; now < end; now += 1000) {
      deliver(&to_b, &b, skew);
      deliver(&to_a, &a, 0);
      if (const auto probe = a.probe(now); probe && a_to_b)
        to_b.emplace_back(now + there_us, *probe);
      if (const auto probe = b.probe(now + skew); probe && b_to_a)
        to_a.emplace_back(now + back_us, *probe);
      a.tick(now);
      b.tick(now + skew);
    }
  }
  void deliver(std::vector<std::pair<Micros, Heartbeat>>* wire, LinkMonitor* to, Micros skew_us) {
    for (auto& [when, probe] : *wire)
      if (when <= now) to->receive(probe, now + skew_us);
    std::erase_if(*wire, [&](const auto& entry) { return entry.first <= now; });
  }
  bool both_up() const {
    return a.state() == LinkMonitor::State::up && b.state() == LinkMonitor::State::up;
  }
};

TEST(Latency, NeedsNoCommonClock) {
  Pair pair;
  pair.there_us = 10'000;
  pair.back_us = 50'000;
  pair.run(5 * kSecond);
  EXPECT_EQ(pair.a.last_rtt_us(), 60'000);
  EXPECT_EQ(pair.b.last_rtt_us(), 60'000);
  EXPECT_TRUE(pair.both_up());
}

TEST(Latency, IsSmoothed) {
  LinkMonitor link;
  link.open(0);
  const auto sample = [&](Micros sent, Micros rtt) {
    Heartbeat echo;
    echo.echo_us = sent;
    link.receive(echo, sent + rtt);
  };
  sample(1'000'000, 100'000);
  EXPECT_EQ(link.smoothed_rtt_us(), 100'000);
  sample(1'500'000, 200'000);
  EXPECT_EQ(link.smoothed_rtt_us(), 150'000);  // of the first ones, the mean
  for (Micros i = 0; i < 60; ++i) sample(2'000'000 + i * 500'000, 100'000);
  EXPECT_NEAR(static_cast<double>(link.smoothed_rtt_us()), 100'000, 5);
  EXPECT_NEAR(static_cast<double>(link.settled_rtt_us()), 100'000, 1500);
  const Micros settled = link.settled_rtt_us();
  sample(32'000'000, 200'000);
  EXPECT_NEAR(static_cast<double>(link.smoothed_rtt_us()), 116'400, 5);
  EXPECT_NEAR(static_cast<double>(link.settled_rtt_us()),
              0.94 * static_cast<double>(settled) + 0.06 * 200'000, 5);
}

TEST(Latency, CostsNothingBelowNoiseAndTellsLongLinksApart) {
  EXPECT_EQ(cost_of_rtt(200), 1000u);
  EXPECT_EQ(cost_of_rtt(1000), 1000u);
  EXPECT_EQ(cost_of_rtt(80'000), 80'000u);
  EXPECT_EQ(cost_of_rtt(250'000), 250'000u);
  EXPECT_LT(cost_of_rtt(900'000), cost_of_rtt(1'000'000));  // the bound is no less than 1 s
  EXPECT_EQ(cost_of_rtt(60 * kSecond), static_cast<std::uint32_t>(limits::kRttMost));
}

TEST(Latency, TellsOthersOnlyWhatIsSignificant) {
  EXPECT_FALSE(is_significant(100'000, 119'999));
  EXPECT_TRUE(is_significant(100'000, 120'000));
  EXPECT_TRUE(is_significant(100'000, 80'000));
  EXPECT_FALSE(is_significant(1000, 1999));  // below the noise, whatever the share
}

TEST(Latency, SilenceIsDeathWithinThreeSeconds) {
  Pair pair;
  pair.run(10 * kSecond);
  ASSERT_TRUE(pair.both_up());
  pair.a_to_b = pair.b_to_a = false;
  pair.run(3 * kSecond);
  EXPECT_EQ(pair.a.state(), LinkMonitor::State::down);
  EXPECT_EQ(pair.b.state(), LinkMonitor::State::down);
}

TEST(Latency, LossInOneDirectionIsDeathAtBothEnds) {
  Pair pair;
  pair.run(10 * kSecond);
  pair.a_to_b = false;
  pair.run(3 * kSecond);
  EXPECT_EQ(pair.a.state(), LinkMonitor::State::down);  // it still hears the other
  EXPECT_EQ(pair.b.state(), LinkMonitor::State::down);
}

TEST(Latency, ASlowLinkLives) {
  Pair pair;
  pair.run(10 * kSecond);
  pair.there_us = pair.back_us = kSecond;
  pair.run(60 * kSecond);
  EXPECT_TRUE(pair.both_up());
  EXPECT_EQ(pair.a.deaths(), 0u);
  EXPECT_EQ(pair.a.last_rtt_us(), 2 * kSecond);
}

TEST(Latency, SomeLostProbesAreNoDeath) {
  Pair pair;
  pair.run(10 * kSecond);
  for (int i = 0; i < 20; ++i) {
    pair.a_to_b = false;
    pair.run(1700 * kMillisecond);
    pair.a_to_b = true;
    pair.run(kSecond);
  }
  EXPECT_TRUE(pair.both_up());
  EXPECT_EQ(pair.a.deaths(), 0u);
}

TEST(Latency, AFlappingLinkProvesItselfLongerEachTime) {
  Pair pair;
  EXPECT_EQ(pair.a.proof_us(), limits::kProveFirst);
  Micros before = 0;
  for (int i = 0; i < 8; ++i) {
    Micros waited = 0;
    while (!pair.both_up() && waited < 100 * kSecond) {
      pair.run(100 * kMillisecond);
      waited += 100 * kMillisecond;
    }
    EXPECT_GE(waited + kSecond, before);
    EXPECT_LE(waited, limits::kProveMost + 2 * kSecond);
    before = waited;
    pair.a_to_b = false;
    pair.run(3 * kSecond);
    pair.a_to_b = true;
  }
  EXPECT_EQ(pair.a.proof_us(), limits::kProveMost);
  pair.run(limits::kProveMost + 3 * limits::kForgiveDeath + 5 * kSecond);
  EXPECT_EQ(pair.a.proof_us(), limits::kProveMost / 8);
}

TEST(Latency, ASampleThatCannotBeTrueIsNone) {
  LinkMonitor link;
  link.open(100 * kSecond);
  const auto echo = [&](Micros stamp, Micros age) {
    Heartbeat probe;
    probe.echo_us = stamp;
    probe.echo_age_us = age;
    link.receive(probe, 101 * kSecond);
  };
  echo(102 * kSecond, 0);                 // was not sent yet
  echo(50 * kSecond, 0);                  // of an earlier stream
  echo(100'500'000, -1);                  // came before it was sent
  echo(100'500'000, 600 * kMillisecond);  // was held longer than ago
  echo(INT64_MIN, 0);
  echo(100'500'000, INT64_MAX);
  EXPECT_FALSE(link.is_measured());
  EXPECT_EQ(link.state(), LinkMonitor::State::down);
  echo(100'500'000, 100 * kMillisecond);
  EXPECT_EQ(link.last_rtt_us(), 400 * kMillisecond);
  echo(100'500'000, 200 * kMillisecond);  // the same answer again is no progress
  EXPECT_EQ(link.last_rtt_us(), 400 * kMillisecond);
}

}  // namespace
}  // namespace oltp20::hub::routing
