// Bursts: what they report, and whom they leave alone.
#include "probe_fixture.h"

namespace volumeter::test {
namespace {

class BurstTest : public ProbeTest {
 protected:
  static constexpr const char* kBurst = R"("volumeter.io/probe":"on","volumeter.io/burst":"on")";
  void start_bursting() { start({"--probe.burst-interval=2s"}); }
};

TEST_F(BurstTest, TellsOperationsThroughputAndLatency) {
  const std::string where = probed("db", "ext4", kBurst);
  start_bursting();
  for (const std::string operation : {"read", "write"}) {
    const std::string label = ",operation=\"" + operation + "\"";
    ASSERT_TRUE(
        eventually([&] { return has("probe_burst_operations_per_second", "db", label); }, 90s))
        << agent->get("/metrics").body;
    const double rate = value("probe_burst_operations_per_second", "db", label);
    EXPECT_GT(rate, 30);
    EXPECT_DOUBLE_EQ(value("probe_burst_bytes_per_second", "db", label), rate * 4096);
    const double p50 = value("probe_burst_latency_seconds", "db", label + ",quantile=\"0.5\"");
    EXPECT_GT(p50, 0);
    EXPECT_GE(value("probe_burst_latency_seconds", "db", label + ",quantile=\"0.99\""), p50);
    // Little's law: sixteen at a time.
    EXPECT_LT(p50 * rate, 40);
  }
  EXPECT_TRUE(has("volume_last_measured_timestamp_seconds", "db", ",measurer=\"probe_burst\""));
  EXPECT_EQ(names_in(where).size(), 0U);
}

TEST_F(BurstTest, OnlyWhereItIsAskedFor) {
  probed("db", "ext4");
  start_bursting();
  ASSERT_TRUE(eventually([&] { return writes("db") >= 6; }, 60s));
  EXPECT_FALSE(has("probe_burst_operations_per_second", "db", ",operation=\"read\""));
}

TEST_F(BurstTest, NotWhereRoomIsShortOrCostsMoney) {
  fill(probed("full", "ext4", kBurst, 2U << 30U), 0.96);
  const std::string where = claim("paid", kBurst);
  ClaimSpec spec{"shop", "paid", "pv-paid", "1Gi"};
  spec.source_json = R"("csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-1"})";
  spec.annotations_json = kBurst;
  put_claim(*api, spec);
  node->mount_image(node->image("ext4", 400 << 20), "ext4", where);
  start_bursting();
  EXPECT_TRUE(eventually(
      [&] { return skipped("full", "burst_full") >= 1 && skipped("paid", "burst_metered") >= 1; },
      60s))
      << agent->get("/metrics").body;
  EXPECT_TRUE(eventually([&] { return writes("full") >= 1; }, 60s)) << "pulses are small enough";
  for (const std::string name : {"full", "paid"}) {
    EXPECT_FALSE(has("probe_burst_operations_per_second", name, ",operation=\"read\""));
  }
}

// One that begins while a burst is under way ends it.
TEST_F(BurstTest, EndsWhenAWorkloadBegins) {
  const std::string server = node->directory() + "/server";
  StallFs stall(server, node->image("ext4", 400 << 20));
  const std::string where = claim("db", kBurst);
  const std::string disk = attach_loop(server + "/disk");
  Node::mount(disk, where, "ext4", 0);
  detach_loop(disk);
  stall.delay(1);  // so that a burst takes its whole time
  start_bursting();
  const Process load({"sh", "-c",
                      "while sleep 3; do fio --name=load --filename=" + where +
                          "/file --size=4m --rw=randwrite --bs=4k --direct=1 --ioengine=libaio "
                          "--iodepth=16 --time_based --runtime=1 --output=/dev/null; done"});
  EXPECT_TRUE(eventually([&] { return skipped("db", "burst_workload") >= 1; }, 120s))
      << agent->get("/metrics").body;
}

// Beside a workload there is none.
TEST_F(BurstTest, NotOnABusyDisk) {
  const std::string where = probed("db", "ext4", kBurst);
  const Process load({"fio", "--name=load", "--directory=" + where, "--rw=randwrite", "--bs=4k",
                      "--size=16m", "--direct=1", "--time_based", "--runtime=120",
                      "--output=/dev/null"});
  ASSERT_TRUE(eventually([&] { return written_sectors(device) > 100000; }, 60s));
  start_bursting();
  EXPECT_TRUE(eventually([&] { return skipped("db", "burst_busy") >= 2; }, 90s))
      << agent->get("/metrics").body;
  EXPECT_FALSE(has("probe_burst_operations_per_second", "db", ",operation=\"read\""));
}

}  // namespace
}  // namespace volumeter::test
