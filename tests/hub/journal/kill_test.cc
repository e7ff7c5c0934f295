// The process is killed at random moments: what it had acknowledged is there, groups are whole.
//
// The child is this program again, so that it starts without the parent's threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/hub/journal/rocksdb_fixture.h"
#include "tests/hub/journal/stream_builder.h"

namespace oltp20::hub::testing {
namespace {

constexpr int kKills = 15;
constexpr int kGroup = 7;  // entries of each group, behind the run
constexpr const char* kDirectory = "OLTP20_TEST_JOURNAL";
constexpr const char* kPipe = "OLTP20_TEST_PIPE";

// Appends groups without end and writes each acknowledged lsn to the pipe.
TEST(JournalKillChild, AppendsUntilItIsKilled) {
  const char* directory = std::getenv(kDirectory);
  if (!directory) GTEST_SKIP() << "started by JournalKill only";
  int pipe = std::atoi(std::getenv(kPipe));
  std::unique_ptr<Journal> journal = open_journal(directory);
  ASSERT_TRUE(journal);
  StreamBuilder build(*journal);
  if (journal->info().head.lsn == 0) {
    ASSERT_TRUE(append(*journal, {{}, {}, {build.run("a")}}));
  }
  while (true) {
    Group group = build.group("a", kGroup - 1);
    group.entries.push_back(build.large("a", 2, &group.parts));
    Lsn last = group.entries.back()->lsn;
    journal->append(std::move(group), [pipe, last](Status status) {
      if (!status || ::write(pipe, &last, sizeof last) != sizeof last) std::abort();
    });
    ::usleep(500);  // several groups are in flight when the kill comes
  }
}

// Runs the child for `us`, kills it, and returns the last lsn that it had acknowledged.
Lsn run_and_kill(const std::string& directory, unsigned us) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::setenv(kDirectory, directory.c_str(), 1);
    ::setenv(kPipe, std::to_string(ends[1]).c_str(), 1);
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execl("/proc/self/exe", "child", "--gtest_filter=JournalKillChild.*", nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  Lsn last = 0, lsn = 0;
  if (::read(ends[0], &lsn, sizeof lsn) == sizeof lsn) last = lsn;  // it is at work
  ::usleep(us);
  ::kill(child, SIGKILL);
  int outcome = 0;
  ::waitpid(child, &outcome, 0);
  EXPECT_TRUE(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL) << outcome;
  while (::read(ends[0], &lsn, sizeof lsn) == sizeof lsn) last = lsn;
  ::close(ends[0]);
  return last;
}

TEST(JournalKill, AcknowledgedGroupsSurviveAndGroupsAreWhole) {
  TemporaryDirectory directory;
  SecureRandom random;
  Incarnation incarnation;
  Lsn head = 0;
  for (int i = 0; i < kKills; ++i) {
    Lsn acknowledged = run_and_kill(directory.path(), random.below(60'000));
    EXPECT_GT(acknowledged, head) << "the child did nothing";
    std::unique_ptr<Journal> journal = open_journal(directory.path());
    ASSERT_TRUE(journal);
    JournalInfo info = journal->info();
    if (i == 0) incarnation = info.incarnation;
    EXPECT_EQ(info.incarnation, incarnation) << info.loss;
    EXPECT_GE(info.head.lsn, acknowledged);
    EXPECT_EQ((info.head.lsn - 1) % kGroup, 0u) << "a group is there in part";
    head = info.head.lsn;
    std::vector<ReadItem> items = read_all(*journal, 1, 1 << 20);
    EXPECT_EQ(items.size(), head + (head - 1) / kGroup) << "entries, and second parts";
    EXPECT_EQ(items.back().entry->stream, info.head.hash);
    ASSERT_EQ(journal->origins().size(), 1u);
    EXPECT_EQ(journal->origins()[0].lsn, head);
  }
}

}  // namespace
}  // namespace oltp20::hub::testing
