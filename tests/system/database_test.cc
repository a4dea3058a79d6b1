// Databases, on volumes of their own: what they wait for when they commit.
#include "support/postgres.h"
#include "sync_fixture.h"

namespace volumeter::test {
namespace {

class DatabaseTest : public SlowDiskTest {
 protected:
  void expect_synced_writes(const std::string& volume, double commits) const {
    const Counts now = counts(volume, "write");
    EXPECT_GE(now.completed, commits);
    EXPECT_GE(now.timed, commits);
    EXPECT_GE(agent->metric(pod_series("io_flush_requests_total", kPod, volume)).value_or(0),
              commits / 2);
    const Waits syncs = waits(volume);
    EXPECT_GE(syncs.count, commits);
    EXPECT_NEAR(syncs.split(), syncs.seconds, syncs.seconds * 0.01);
  }
};

TEST_F(DatabaseTest, RedisWithEveryWriteInItsLog) {
  if (run({"redis-server", "--version"}).code != 0) GTEST_SKIP() << "redis-server isn't installed";
  const std::string data = home_of("nobody", ext4_claim("redis"));
  start();
  if (IsSkipped()) return;
  const std::string socket = node->directory() + "/redis.sock";
  const Process server({"redis-server", "--port", "0", "--unixsocket", socket, "--dir", data,
                        "--appendonly", "yes", "--appendfsync", "always", "--save", ""});
  ASSERT_TRUE(eventually([&] {
    return run({"redis-cli", "-s", socket, "ping"}).text == "PONG\n";
  }));
  must_run({"redis-benchmark", "-s", socket, "-q", "-c", "1", "-n", "200", "-t", "set"});
  expect_synced_writes("redis", 200);
}

TEST_F(DatabaseTest, PostgresqlsSyncsAloneSlowDownWithItsDisk) {
  if (!Postgres::installed()) GTEST_SKIP() << "postgresql isn't installed";
  const std::string pg = node->csi_dir(kPod, "pg");
  mount(pg);
  const std::string other = ext4_claim("other");
  start();
  if (IsSkipped()) return;
  const Postgres server(home_of("postgres", pg), node->directory() + "/pg");
  const Process neighbour({"fio", "--name=neighbour", "--directory=" + other, "--rw=randwrite",
                           "--size=4m", "--fsync=1", "--thinktime=10ms", "--time_based",
                           "--runtime=600", "--output=/dev/null"});
  ASSERT_TRUE(eventually([&] { return waits("other").count > 0; }));
  const auto mean = [](const Waits& some) { return some.seconds / some.count; };

  Waits before = waits("pg");
  Waits other_before = waits("other");
  constexpr int kQuick = 50;
  const Postgres::Result quick = server.bench(kQuick);
  const Waits quick_syncs = waits("pg") - before;
  const Waits beside_quick = waits("other") - other_before;
  expect_synced_writes("pg", kQuick);

  // However slow this machine is, it shows.
  const int milliseconds = static_cast<int>(std::min(20 + 2000 * mean(quick_syncs), 200.0));
  const double delay = milliseconds / 1000.0;
  before = waits("pg");
  other_before = waits("other");
  slow->delay(milliseconds);
  constexpr int kSlow = 15;
  const Postgres::Result slowed = server.bench(kSlow);
  slow->delay(0);
  const Waits slow_syncs = waits("pg") - before;
  const Waits beside_slow = waits("other") - other_before;
  EXPECT_GE(slow_syncs.count, kSlow);
  EXPECT_GT(mean(slow_syncs), std::max(delay, mean(quick_syncs)));
  EXPECT_GT(quantile_of(slow_syncs, 0.99), delay);
  EXPECT_GT(slow_syncs.device, 0.8 * slow_syncs.seconds)
      << slow_syncs.queue << " " << slow_syncs.above;
  EXPECT_GT(beside_slow.count, 10);
  EXPECT_LT(mean(beside_slow), mean(beside_quick) + delay / 2)
      << "its neighbour's disk is as quick as before";
  // A transaction is little else than waiting for its commit.
  EXPECT_GT(slowed.seconds, std::max(delay, quick.seconds));
  EXPECT_NEAR(slow_syncs.seconds / kSlow, slowed.seconds, slowed.seconds * 0.5);
}

}  // namespace
}  // namespace volumeter::test
