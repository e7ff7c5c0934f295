// Lives of a database: what tells a copy, a promoted replica and a restored backup from the
// original, and where a new epoch goes on.
#include "tests/spoke/database/fixture.h"

namespace oltp20::spoke {
namespace {

class EpochTest : public DatabaseTest {
 protected:
  static EpochInfo child_of(const OutboxState& state, ChainPosition fork) {
    EpochInfo out;
    out.id = Epoch::from(std::string(16, 'e'));
    out.parent = state.epoch.id;
    out.fork = fork;
    return out;
  }
};

TEST_F(EpochTest, ANewEpochGoesOnBehindItsTickWithSeqOne) {
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  send("one");
  capture(*outbox, last);
  const Tick from = last;
  send("two");
  capture(*outbox, last);
  const ChainPosition fork{1, Hash::from(std::string(32, 'f'))};
  const EpochInfo life = child_of(state, fork);
  Status begun = outbox->begin_epoch(life, from, 4, "the hub contradicts");
  ASSERT_TRUE(begun) << begun.message();
  ASSERT_TRUE(outbox->begin_epoch(life, from, 4, "said again"));
  EXPECT_EQ(sql("select lost from oltp20.epoch order by number desc limit 1"), "3");
  auto again = outbox->open();
  ASSERT_TRUE(again) << again.status().message();
  EXPECT_EQ(again->epoch, life);
  EXPECT_EQ(again->stable.seq, 0u);
  EXPECT_EQ(again->last_tick.last, 0u);
  EXPECT_EQ(state.overlap_before, 0u) << "nothing precedes the first life";
  EXPECT_GT(again->overlap_before, std::stoull(sql("select max(xid::text::bigint) from "
                                                   "message.outgoing")));
  send("three");
  Tick next = again->last_tick;
  EXPECT_EQ(capture(*outbox, next), (Strings{"two", "three"}));
  EXPECT_EQ(next.epoch, life.id);
  EXPECT_EQ(next.first, 1u);
  send("four");
  EXPECT_EQ(capture(*outbox, next), Strings{"four"});
  EXPECT_EQ(next.first, 3u);
  EXPECT_EQ(outbox->tick_at_most(life.id, 1)->number, 0u);
  EXPECT_EQ(outbox->begin_epoch(child_of(state, fork), from, 0, "x").is_ok(), true);
  EpochInfo stranger = child_of(state, fork);
  stranger.id = Epoch::from(std::string(16, 'z'));
  EXPECT_EQ(outbox->begin_epoch(stranger, from, 0, "x").code(), Code::conflict)
      << "the parent is no longer the current epoch";
}

TEST_F(EpochTest, TheFirstLifeSaysWhereItBeganBeforeAnythingWasCaptured) {
  auto [outbox, state] = open_outbox();
  EXPECT_EQ(state.last_tick.last, 0u);
  EXPECT_FALSE(state.server.system_identifier.empty());
  EXPECT_EQ(state.last_tick.server, state.server);
}

TEST_F(EpochTest, FromNothingOfTheParentEverythingIsCapturedAgain) {
  auto [outbox, state] = open_outbox();
  Tick last = state.last_tick;
  send("one");
  capture(*outbox, last);
  auto none = outbox->tick_at_most(state.epoch.id, 0);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->number, 0u);
  ASSERT_TRUE(outbox->begin_epoch(child_of(state, {}), *none, 1, "restored"));
  auto again = outbox->open();
  ASSERT_TRUE(again);
  Tick next = again->last_tick;
  EXPECT_EQ(capture(*outbox, next), Strings{"one"});
}

TEST_F(EpochTest, AColdCopyIsTheSameLifeAndOnlyTheChainCanTell) {
  test::PostgresCluster original;
  original.create_database("d");
  const std::string agent = original.url("d", "oltp20_agent");
  ASSERT_TRUE(install({original.url("d"), agent, "exact"}));
  auto outbox = make_pg_outbox({agent, "exact"});
  auto state = outbox->open();
  ASSERT_TRUE(state) << state.status().message();
  EXPECT_FALSE(state->server.system_identifier.empty());
  Tick last = state->last_tick;
  original.sql("d", "insert into message.outgoing (type, payload) values ('t', 'one')");
  capture(*outbox, last);
  original.stop();
  auto copy = original.cold_copy();
  original.start();
  copy->start();
  auto other = make_pg_outbox({copy->url("d", "oltp20_agent"), "exact"});
  auto there = other->open();
  ASSERT_TRUE(there) << there.status().message();
  EXPECT_EQ(there->server, state->server);
  EXPECT_EQ(there->last_tick.number, last.number);
  EXPECT_EQ(there->last_tick.snapshot, last.snapshot);
  EXPECT_GE(there->wal_lsn, last.wal_lsn);
}

TEST_F(EpochTest, APromotedReplicaIsOnAnotherTimeline) {
  test::PostgresCluster primary;
  primary.create_database("d");
  const std::string agent = primary.url("d", "oltp20_agent");
  ASSERT_TRUE(install({primary.url("d"), agent, "exact"}));
  auto outbox = make_pg_outbox({agent, "exact"});
  auto state = outbox->open();
  ASSERT_TRUE(state);
  Tick last = state->last_tick;
  primary.sql("d", "insert into message.outgoing (type, payload) values ('t', 'one')");
  capture(*outbox, last);
  auto standby = primary.make_standby();
  primary.kill9();
  standby->promote();
  auto other = make_pg_outbox({standby->url("d", "oltp20_agent"), "exact"});
  auto there = other->open();
  ASSERT_TRUE(there) << there.status().message();
  EXPECT_EQ(there->server.system_identifier, state->server.system_identifier);
  EXPECT_EQ(there->server.timeline, state->server.timeline + 1);
  EXPECT_EQ(there->last_tick.server.timeline, state->server.timeline);
}

TEST_F(EpochTest, ARestoreIntoAYoungServerIsRefused) {
  auto [outbox, state] = open_outbox();
  sql("insert into oltp20.tick select number + 1, epoch, snapshot, '900000000:900000000:', 1, 0, "
      "'', 0, '0/0' from oltp20.tick");
  auto again = outbox->open();
  ASSERT_FALSE(again);
  EXPECT_NE(again.status().message().find("restored from a dump"), std::string::npos);
}

}  // namespace
}  // namespace oltp20::spoke
