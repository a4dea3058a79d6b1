// Pulses on real filesystems and devices: what is reported, and what is seen of them.
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <fstream>

#include "probe_fixture.h"

namespace volumeter::test {
namespace {

class ProbedFilesystems : public ProbeTest, public testing::WithParamInterface<const char*> {};

TEST_P(ProbedFilesystems, ArePulsedAndShowNothingOfIt) {
  const std::string where = probed("db", GetParam());
  start();
  for (int pulses = 0; pulses < 8; ++pulses) {
    ASSERT_TRUE(eventually([&] { return writes("db") + skipped("db", "cpu") > pulses; }));
    EXPECT_EQ(names_in(where).size(), 0U);
  }
  ASSERT_TRUE(eventually([&] { return writes("db") >= 3; })) << agent->get("/metrics").body;
  EXPECT_EQ(writes("db"), reads("db"));
  EXPECT_GT(value("probe_duration_seconds_sum", "db", ",operation=\"read\""), 3e-6);
  // The first write of each commits the journal; an overwrite doesn't.
  EXPECT_GT(value("probe_first_write_seconds_total", "db"), 0);
  EXPECT_TRUE(agent->sees(series("probe_success", "db"), 1));
  EXPECT_TRUE(agent->sees(series("volume_write_responsive", "db"), 1));
}
INSTANTIATE_TEST_SUITE_P(Kinds, ProbedFilesystems, testing::Values("ext4", "xfs", "btrfs"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_F(ProbeTest, AnOverlayIsPulsedThroughItsUpperLayer) {
  const std::string base = node->directory() + "/base";
  node->mount_image(node->image("ext4", 100 << 20), "ext4", base);
  for (const std::string name : {"/lower", "/upper", "/work"}) make_directories(base + name);
  const std::string where = claim("db", kOn);
  Node::mount("overlay", where, "overlay", 0,
              "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work");
  start();
  // Overlays of Linux 6.1 have no unnamed files that take O_DIRECT.
  const UniqueFd unnamed(::open(where.c_str(), O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600));
  EXPECT_TRUE(eventually([&] {
    return unnamed ? writes("db") >= 2 : skipped("db", "unsupported") >= 2;
  })) << agent->get("/metrics").body;
  EXPECT_EQ(names_in(where).size(), 0U);
}

TEST_F(ProbeTest, MemoryIsNotCalledADisk) {
  Node::mount("tmpfs", claim("db", kOn), "tmpfs", 0, "size=8m");
  start();
  EXPECT_TRUE(eventually([&] { return skipped("db", "memory") >= 2; })) << agent->log();
  EXPECT_FALSE(has("probe_duration_seconds_count", "db", ",operation=\"read\""));
}

TEST_F(ProbeTest, WithoutUnnamedFilesNothingIsWritten) {
  const StallFs stall(claim("db", kOn));
  start();
  EXPECT_TRUE(eventually([&] { return skipped("db", "unsupported") >= 2; })) << agent->log();
  EXPECT_FALSE(has("probe_success", "db"));
}

TEST_F(ProbeTest, ANameLivesForAMomentWhereItIsAskedFor) {
  const std::string where = probed("db", "ext4", R"("volumeter.io/probe":"named-file")");
  std::ofstream(where + "/.volumeter-probe").flush();  // left by one that was killed
  start();
  EXPECT_TRUE(eventually([&] { return writes("db") >= 2; })) << agent->log();
  EXPECT_TRUE(eventually([&] { return names_in(where).empty(); }));
}

TEST_F(ProbeTest, SomebodyElsesFileOfThatNameStays) {
  const std::string where = probed("db", "ext4", R"("volumeter.io/probe":"named-file")");
  std::ofstream(where + "/.volumeter-probe") << "mine" << std::flush;
  start();
  EXPECT_TRUE(eventually([&] { return skipped("db", "name_taken") >= 2; })) << agent->log();
  std::string text;
  std::ifstream(where + "/.volumeter-probe") >> text;
  EXPECT_EQ(text, "mine");
}

TEST_F(ProbeTest, ADirectoryThatBelongsToItsWorkloadIsPulsed) {
  const std::string where = probed("db", "xfs");
  must_run({"chown", "26:26", where});
  must_run({"chmod", "700", where});
  start();
  EXPECT_TRUE(eventually([&] { return writes("db") >= 2; })) << agent->log();
}

TEST_F(ProbeTest, WhatIsReadOnlyOrFullIsLeftAlone) {
  const std::string sealed = probed("sealed", "ext4");
  Node::mount("", sealed, "", MS_REMOUNT | MS_RDONLY);
  fill(probed("full", "ext4"), 1.0);
  start();
  EXPECT_TRUE(eventually([&] {
    return skipped("sealed", "read_only") >= 2 && skipped("full", "full") >= 2;
  })) << agent->get("/metrics").body;
  EXPECT_EQ(writes("sealed"), 0);
  EXPECT_EQ(writes("full"), 0);
}

TEST_F(ProbeTest, WithoutIoUringItIsTheSame) {
  probed("db", "ext4", std::string(kOn) + R"(,"volumeter.io/burst":"on")");
  Agent::Options options;
  options.wrapper = {REFUSE_PATH, "io_uring_setup"};
  start({"--probe.burst-interval=2s"}, options);
  EXPECT_TRUE(eventually([&] { return writes("db") >= 2 && reads("db") >= 2; })) << agent->log();
  EXPECT_TRUE(eventually(
      [&] { return has("probe_burst_operations_per_second", "db", ",operation=\"read\""); }, 60s))
      << agent->get("/metrics").body;
}

// What is read of a block volume is thrown away, and nothing is written.
TEST_F(ProbeTest, BlockVolumesAreOnlyRead) {
  claim("db", kOn, "Block");
  const std::string disk = attach_loop(node->image("", 64 << 20));
  node->block_volume("u-db", "pv-db", disk);
  const auto before = written_sectors(disk);
  start();
  EXPECT_TRUE(eventually([&] { return reads("db") >= 3; })) << agent->get("/metrics").body;
  EXPECT_FALSE(has("probe_duration_seconds_count", "db", ",operation=\"write_sync\""));
  EXPECT_FALSE(has("volume_write_responsive", "db"));
  EXPECT_EQ(written_sectors(disk), before);
  detach_loop(disk);
}

TEST_F(ProbeTest, ReadOnlyMeansItsDeviceIsRead) {
  probed("db", "ext4", R"("volumeter.io/probe":"read-only")");
  start();
  must_run({"sync"});
  const auto before = written_sectors(device);
  EXPECT_TRUE(eventually([&] { return reads("db") >= 3; })) << agent->get("/metrics").body;
  EXPECT_FALSE(has("probe_duration_seconds_count", "db", ",operation=\"write_sync\""));
  EXPECT_EQ(written_sectors(device), before);
}

// Files that are there are neither opened nor read: fanotify(7) sees every file of the filesystem.
TEST_F(ProbeTest, AVolumesContentIsNeverRead) {
  const std::string where = probed("db", "ext4");
  make_directories(where + "/sub");
  std::ofstream(where + "/sub/secret") << "secret" << std::flush;
  const UniqueFd watch(::fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY));
  if (!watch) GTEST_SKIP() << "this kernel has no fanotify";
  ASSERT_EQ(::fanotify_mark(watch.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
                            FAN_OPEN | FAN_ACCESS | FAN_ONDIR, AT_FDCWD, where.c_str()),
            0);
  start();
  ASSERT_TRUE(eventually([&] { return writes("db") >= 3; })) << agent->log();
  std::vector<char> buffer(64 << 10);
  int opened = 0;
  ssize_t n = 0;
  while ((n = ::read(watch.get(), buffer.data(), buffer.size())) > 0) {
    const auto* event = reinterpret_cast<const fanotify_event_metadata*>(buffer.data());
    for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
      const UniqueFd file(event->fd);
      struct stat st {};
      ASSERT_EQ(::fstat(file.get(), &st), 0);
      EXPECT_EQ(st.st_nlink, 0U) << "a file with a name was opened or read";
      ++opened;
    }
  }
  EXPECT_GT(opened, 0);
}

// A pulse would tell nothing that the workload's own syncs don't.
TEST_F(ProbeTest, WhereSyncsAreSeenAlreadyNoPulseIsAdded) {
  if (!bpf_works()) GTEST_SKIP() << "this kernel has no BPF with type information";
  const std::string where = probed("db", "ext4");
  Agent::Options options;
  options.latency = true;
  start({}, options);
  const Process load({"fio", "--name=wal", "--directory=" + where, "--rw=write", "--bs=4k",
                      "--size=4m", "--fdatasync=1", "--rate_iops=20", "--time_based",
                      "--runtime=120", "--output=/dev/null"});
  EXPECT_TRUE(eventually([&] { return skipped("db", "passive") >= 2; }, 90s)) << agent->log();
}

// By the workload's own syncs, which the kernel's programs count; no probe is needed.
TEST_F(ProbeTest, AWorkloadsVolumeIsCalledFitByItsOwnSyncs) {
  if (!bpf_works()) GTEST_SKIP() << "this kernel has no BPF with type information";
  const std::string where = probed("db", "ext4", R"("volumeter.io/workload":"etcd")");
  Agent::Options options;
  options.latency = true;
  start({}, options);
  EXPECT_TRUE(eventually(
      [&] { return agent->log().find("program=\"libaio_sync\"") != std::string::npos; }, 120s))
      << agent->log();
  const std::string fit = series("volume_workload_fit", "db", ",workload=\"etcd\"");
  EXPECT_FALSE(agent->metric(fit)) << "without a sync";
  must_run({"fio", "--name=wal", "--directory=" + where, "--rw=write", "--bs=2300", "--size=2m",
            "--fdatasync=1", "--number_ios=800", "--output=/dev/null"});
  EXPECT_TRUE(eventually([&] { return agent->metric(fit).has_value(); })) << agent->log();
  const double syncs = value("volume_sync_latency_seconds_count", "db");
  const double fast = value("volume_sync_latency_seconds_bucket", "db", ",le=\"0.01\"");
  EXPECT_EQ(agent->metric(fit), fast >= 0.99 * syncs ? 1 : 0) << fast << " of " << syncs;
  EXPECT_FALSE(has("probe_missed_total", "db")) << "nobody asked for probes";
}

}  // namespace
}  // namespace volumeter::test
