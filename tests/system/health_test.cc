// Whether volumes are what they should be, on real filesystems with real faults.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "claim_fixture.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

// A loop device that stays when nobody has it open.
struct ForgottenLoop {
  explicit ForgottenLoop(const std::string& image)
      : device(run({"losetup", "-f", "--show", image}).text) {
    device.erase(device.find_last_not_of('\n') + 1);
  }
  ~ForgottenLoop() { run({"losetup", "-d", device}); }
  ForgottenLoop(const ForgottenLoop&) = delete;
  ForgottenLoop& operator=(const ForgottenLoop&) = delete;
  std::string device;
};

class HealthTest : public ClaimTest {
 protected:
  // With a filesystem of its own, and its path.
  std::string volume(const std::string& name, const std::string& fstype = "ext4",
                     std::uint64_t size = 400 << 20) {
    const std::string where = claim(name);
    image = node->image(fstype, size);
    device = node->mount_image(image, fstype, where);
    return where;
  }
  [[nodiscard]] std::string device_name() const { return fs::path(device).filename(); }

  // Whether `df` by curl tells this of the claim's pod.
  [[nodiscard]] bool told(const std::string& name, const std::string& text) const {
    std::istringstream lines(agent->get("/").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("shop/" + name + " ") && line.find(text) != std::string::npos) {
        return true;
      }
    }
    return false;
  }
  [[nodiscard]] bool sees(const std::string& metric, const std::string& name, double wanted,
                          const std::string& more = "") const {
    return agent->sees(series(metric, name, more), wanted);
  }
  [[nodiscard]] std::string state(const std::string& name) const {
    std::istringstream lines(agent->get("/").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.find(" " + name + " ") == std::string::npos || !line.starts_with("shop")) continue;
      const auto state = line.find_last_of(' ');
      return line.substr(state + 1);
    }
    return {};
  }
  [[nodiscard]] std::string super_options(const std::string& where) const {
    std::ifstream table("/proc/self/mountinfo");
    for (std::string line; std::getline(table, line);) {
      if (line.find(" " + where + " ") != std::string::npos) return line.substr(line.find(" - "));
    }
    return {};
  }
  static bool kernel_log_readable() {
    return UniqueFd(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)).get() >= 0;
  }

  // An ext4 whose directory "d" has lost its inode: looking it up is an error.
  void break_ext4(const std::string& where) {
    fs::create_directory(where + "/d");
    struct stat st {};
    ::stat((where + "/d").c_str(), &st);
    Node::unmount(where);
    const std::string disk = image;
    must_run({"debugfs", "-w", "-R", "clri <" + std::to_string(st.st_ino) + ">", disk});
    device = node->mount_image(image, "ext4", where);
  }

  std::string image;   // of the last volume()
  std::string device;  // likewise
};

TEST_F(HealthTest, AVolumeThatIsUnmountedUnderItsPodIsNamedAndWhatIsWrittenCounted) {
  const std::string where = volume("db");
  start();
  ASSERT_TRUE(sees("volume_mounted", "db", 1));
  EXPECT_FALSE(has("volume_unmounted_bytes", "db"));
  Node::unmount(where);
  EXPECT_TRUE(sees("volume_mounted", "db", 0));
  EXPECT_TRUE(told("db", "nothing is mounted there")) << agent->get("/").body;
  EXPECT_TRUE(sees("volume_unmounted_bytes", "db", 0));
  std::ofstream(where + "/lost") << std::string(100 << 10, 'x');
  agent.reset();  // the next walk of the same directory would be minutes away
  start();
  EXPECT_TRUE(eventually([&] { return value("volume_unmounted_bytes", "db") >= (100 << 10); }));
  node->mount_image(image, "ext4", where);
  EXPECT_TRUE(sees("volume_mounted", "db", 1));
  EXPECT_TRUE(eventually([&] { return !told("db", "nothing is mounted there"); }));
  EXPECT_FALSE(has("volume_unmounted_bytes", "db"));
}

TEST_F(HealthTest, APodThatHasNotStartedYetHasNoUnmountedVolume) {
  claim("db");
  std::string pod =
      pod_json("shop", "db", "u-db", claim_volume_json("data", "db"), "StatefulSet", "db");
  pod.replace(pod.find("Running"), 7, "Pending");
  api->set_pod("u-db", pod);
  start();
  EXPECT_TRUE(has("volume_requested_bytes", "db"));
  EXPECT_FALSE(has("volume_mounted", "db"));
  put_pod("db");
  EXPECT_TRUE(sees("volume_mounted", "db", 0));
}

TEST_F(HealthTest, TheWrongFilesystemIsNamed) {
  const std::string where = volume("db");
  const std::string staged = node->staging_dir("pv-db");
  Node::mount(device, staged, "ext4", 0);
  start();
  EXPECT_TRUE(sees("volume_mount_mismatches", "db", 0));
  Node::unmount(where);
  const std::string other = node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
  EXPECT_TRUE(sees("volume_mount_mismatches", "db", 1)) << agent->get("/").body;
  EXPECT_TRUE(told("db", other + " is mounted, and " + device + " is staged for it"))
      << agent->get("/").body;
  EXPECT_NE(agent->get("/").body.find("wrong mount"), std::string::npos);
  Node::unmount(where);
  Node::mount(device, where, "ext4", 0);
  EXPECT_TRUE(sees("volume_mount_mismatches", "db", 0));
}

TEST_F(HealthTest, AReadOnlyRemountIsToldFromAWish) {
  const std::string where = volume("db");
  const std::string wished = volume("wished");
  std::string pod = pod_json("shop", "wished", "u-wished", claim_volume_json("data", "wished"));
  const std::string name = R"("claimName":"wished")";
  pod.replace(pod.find(name), name.size(), name + R"(,"readOnly":true)");
  api->set_pod("u-wished", pod);
  Node::mount("", wished, "", MS_REMOUNT | MS_BIND | MS_RDONLY);
  start();
  EXPECT_TRUE(sees("volume_read_only", "wished", 1, ",cause=\"claim\""));
  EXPECT_TRUE(sees("volume_read_only", "wished", 1, ",cause=\"mount\""));
  EXPECT_EQ(state("wished"), "ok");
  EXPECT_TRUE(sees("volume_read_only", "db", 0, ",cause=\"superblock\""));
  must_run({"mount", "-o", "remount,ro", where});
  EXPECT_TRUE(sees("volume_read_only", "db", 1, ",cause=\"superblock\""));
  EXPECT_EQ(value("volume_read_only", "db", ",cause=\"claim\""), 0);
  EXPECT_EQ(state("db"), "read-only");
  EXPECT_TRUE(told("db", "though nobody wished that"));
  must_run({"mount", "-o", "remount,rw", where});
  EXPECT_TRUE(sees("volume_read_only", "db", 0, ",cause=\"superblock\""));
}

TEST_F(HealthTest, AnXfsThatShutsDownIsNamed) {
  const std::string where = volume("db", "xfs");
  start();
  ASSERT_TRUE(sees("volume_read_only", "db", 0, ",cause=\"shutdown\""));
  must_run({"xfs_io", "-x", "-c", "shutdown", where});
  EXPECT_TRUE(sees("volume_read_only", "db", 1, ",cause=\"shutdown\""));
  EXPECT_TRUE(told("db", "has shut down")) << agent->get("/").body;
  if (!kernel_log_readable()) return;
  EXPECT_TRUE(eventually([&] { return value("volume_kernel_messages_total", "db") >= 1; }));
  EXPECT_GE(agent->metric("volumeter_kernel_messages_total{kind=\"filesystem_shutdown\"}"), 1);
}

TEST_F(HealthTest, AnExt4ThatShutsDownIsNamedWhereTheKernelTells) {
  const std::string where = volume("db");
  start();
  constexpr unsigned long kShutdown = _IOR('X', 125, __u32);  // EXT4_IOC_SHUTDOWN
  __u32 how = 2;
  const UniqueFd root(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::ioctl(root.get(), kShutdown, &how), 0);
  if (super_options(where).find("shutdown") == std::string::npos) {
    GTEST_SKIP() << "this kernel's mount table doesn't tell";
  }
  EXPECT_TRUE(sees("volume_read_only", "db", 1, ",cause=\"shutdown\""));
}

TEST_F(HealthTest, AnExt4ThatFindsAnErrorCountsIt) {
  const std::string where = volume("db");
  break_ext4(where);
  start();
  EXPECT_TRUE(sees("volume_filesystem_errors_total", "db", 0, ",kind=\"error\""));
  EXPECT_FALSE(has("volume_filesystem_last_error_timestamp_seconds", "db"));
  const auto before = std::time(nullptr);
  struct stat st {};
  EXPECT_NE(::stat((where + "/d").c_str(), &st), 0);
  EXPECT_TRUE(sees("volume_filesystem_errors_total", "db", 1, ",kind=\"error\""));
  EXPECT_NEAR(value("volume_filesystem_last_error_timestamp_seconds", "db"), before, 5);
  EXPECT_TRUE(eventually([&] { return told("db", "ext4 has counted errors: error 1"); }));
  if (!kernel_log_readable()) return;
  EXPECT_TRUE(sees("volume_kernel_messages_total", "db", 1));
  EXPECT_TRUE(eventually([&] { return told("db", "the kernel's log tells of errors"); }));
}

TEST_F(HealthTest, AnExt4ThatLetsNobodyWriteAfterAnErrorIsNotReadOnlyByWish) {
  const std::string where = volume("db");
  break_ext4(where);
  must_run({"mount", "-o", "remount,errors=remount-ro", where});
  start();
  ASSERT_TRUE(sees("volume_read_only", "db", 0, ",cause=\"emergency\""));
  struct stat st {};
  EXPECT_NE(::stat((where + "/d").c_str(), &st), 0);
  const std::string options = super_options(where);
  const bool told = options.find("emergency_ro") != std::string::npos;  // since Linux 6.15
  const bool flagged = options.starts_with(" - ext4 " + device + " ro");
  if (!told && !flagged && !kernel_log_readable()) {
    GTEST_SKIP() << "neither this kernel's mount table nor its log tells:" << options;
  }
  EXPECT_TRUE(
      sees("volume_read_only", "db", 1, flagged ? ",cause=\"superblock\"" : ",cause=\"emergency\""))
      << options;
  // Repaired, and mounted anew.
  Node::unmount(where);
  run({"e2fsck", "-fy", image});
  node->mount_image(image, "ext4", where);
  EXPECT_TRUE(sees("volume_read_only", "db", 0, ",cause=\"emergency\""));
}

TEST_F(HealthTest, ABtrfsCountsWhatItFoundCorrupt) {
  const std::string where = volume("db", "btrfs");
  const std::string text(1 << 20, '~');
  std::ofstream(where + "/file") << text;
  Node::unmount(where);
  // The first of its blocks that the image holds.
  std::fstream disk(image, std::ios::in | std::ios::out | std::ios::binary);
  std::string block(4096, '\0');
  std::uint64_t at = 0;
  for (; disk.read(block.data(), 4096); at += 4096) {
    if (block == text.substr(0, 4096)) break;
  }
  ASSERT_TRUE(disk) << "its data isn't in the image";
  disk.seekp(static_cast<std::streamoff>(at));
  disk.write("!", 1);
  disk.close();
  node->mount_image(image, "btrfs", where);
  start();
  EXPECT_TRUE(sees("volume_filesystem_errors_total", "db", 0, ",kind=\"corruption\""));
  std::ifstream(where + "/file").read(block.data(), 4096);
  EXPECT_TRUE(eventually([&] {
    return value("volume_filesystem_errors_total", "db", ",kind=\"corruption\"") >= 1;
  })) << agent->get("/metrics").body;
  EXPECT_TRUE(eventually([&] { return told("db", "btrfs has counted errors: corruption"); }));
}

// The disk is pulled: its file doesn't answer any more but with errors.
TEST_F(HealthTest, ADiskThatFailsIsNamed) {
  const std::string server = node->directory() + "/server";
  const std::string where = claim("db");
  StallFs stall(server, node->image("ext4", 400 << 20));
  const std::string disk = attach_loop(server + "/disk");
  Node::mount(disk, where, "ext4", 0);
  detach_loop(disk);
  Agent::Options options;
  options.latency = true;
  start({}, options);
  const bool counted = eventually([&] { return has("volume_io_errors_total", "db"); }, 10s);
  stall.break_io(EIO);
  std::ofstream(where + "/file") << std::string(1 << 20, 'x');
  const UniqueFd root(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ::syncfs(root.get());
  if (counted) {
    EXPECT_TRUE(eventually([&] { return value("volume_io_errors_total", "db") >= 1; }));
  }
  if (kernel_log_readable()) {
    EXPECT_TRUE(eventually([&] { return value("volume_kernel_messages_total", "db") >= 1; }));
    EXPECT_GE(agent->metric("volumeter_kernel_messages_total{kind=\"io_error\"}"), 1);
  }
  if (!counted && !kernel_log_readable()) GTEST_SKIP() << "neither BPF nor the kernel's log here";
}

TEST_F(HealthTest, AFloodOfLinesLosesNoCount) {
  if (!kernel_log_readable()) GTEST_SKIP() << "the kernel's log can't be read here";
  volume("db");
  const std::string sysfs = "/sys/fs/ext4/" + device_name() + "/";
  if (!fs::exists(sysfs + "trigger_fs_error")) GTEST_SKIP() << "needs ext4's trigger_fs_error";
  std::ofstream(sysfs + "err_ratelimit_interval_ms") << "0";
  start();
  ASSERT_TRUE(sees("volume_kernel_messages_total", "db", 0));
  const UniqueFd trigger(::open((sysfs + "trigger_fs_error").c_str(), O_WRONLY | O_CLOEXEC));
  // At most 10,000 a second. A machine too busy to run the agent for long enough overwrites lines;
  // those are told, and it gets another chance.
  constexpr int kLines = 10000;
  const auto lost = [&] { return agent->metric("volumeter_kernel_messages_lost_total").value(); };
  const auto counted = [&] { return value("volume_kernel_messages_total", "db"); };
  bool none_lost = false;
  for (int round = 1; round <= 3 && !none_lost; ++round) {
    const double lost_before = lost();
    for (int i = 0; i < kLines; ++i) {
      if (i % 100 == 0) std::this_thread::sleep_for(10ms);
      ASSERT_EQ(::write(trigger.get(), "test", 4), 4);
    }
    EXPECT_TRUE(sees("volume_filesystem_errors_total", "db", round * kLines, ",kind=\"error\""));
    EXPECT_TRUE(eventually([&] { return counted() + lost() >= round * kLines; }))
        << counted() << " and lost " << lost();
    none_lost = lost() == lost_before;
    if (lost() == 0) {
      EXPECT_EQ(counted(), round * kLines);
    }
  }
  EXPECT_TRUE(none_lost) << counted() << " and lost " << lost();
}

TEST_F(HealthTest, AnExpansionIsFollowedFromItsRequestToItsFilesystem) {
  constexpr std::uint64_t kSmall = 1ULL << 30;
  constexpr std::uint64_t kLarge = 2ULL << 30;
  ClaimSpec spec;
  spec.name = "db";
  spec.storage = "2Gi";
  spec.capacity = "1Gi";
  const std::string where = claim(spec);
  const std::string file = node->image("xfs", kSmall);
  const std::string disk = node->mount_image(file, "xfs", where);
  const auto waits = [&](const std::string& stage) {
    return sees("volume_expansion_stage", "db", 1, ",stage=\"" + stage + "\"");
  };
  start();
  EXPECT_TRUE(waits("controller")) << agent->get("/metrics").body;
  EXPECT_EQ(value("volume_expansion_pending_bytes", "db"), static_cast<double>(kLarge - kSmall));
  EXPECT_TRUE(told("db", "the volume itself hasn't grown"));
  agent.reset();  // the API server would be asked again in a minute
  spec.capacity = "2Gi";
  claim(spec);
  must_run({"truncate", "-s", std::to_string(kLarge), file});
  must_run({"losetup", "-c", disk});
  start();
  EXPECT_TRUE(waits("filesystem")) << agent->get("/metrics").body;
  EXPECT_TRUE(told("db", "the filesystem doesn't fill its device"));
  EXPECT_TRUE(has("volume_expansion_since_timestamp_seconds", "db"));
  must_run({"xfs_growfs", where});
  EXPECT_TRUE(sees("volume_expansion_pending_bytes", "db", 0));
  EXPECT_FALSE(has("volume_expansion_stage", "db", ",stage=\"filesystem\""));
}

TEST_F(HealthTest, AccessModesAndOrdinalsAreHeldAgainstWhatHappens) {
  ClaimSpec spec;
  spec.name = "data-db-1";
  spec.access_mode = "ReadWriteOncePod";
  node->mount_image(node->image("ext4", 64 << 20), "ext4", claim(spec));
  api->set_pod("u-data-db-1",
               pod_json("shop", "db-0", "u-data-db-1", claim_volume_json("data", "data-db-1"),
                        "StatefulSet", "db"));
  start();
  EXPECT_TRUE(sees("volume_ordinal_mismatch", "data-db-1", 1)) << agent->get("/metrics").body;
  EXPECT_TRUE(told("db-0", "made for another ordinal"));
  EXPECT_TRUE(sees("volume_access_violated", "data-db-1", 0, ",rule=\"single_pod\""));
  const std::string second = node->csi_dir("u-2", "pv-data-db-1");
  Node::bind(node->csi_dir("u-data-db-1", "pv-data-db-1"), second);
  api->set_pod("u-2", pod_json("shop", "copy", "u-2", claim_volume_json("data", "data-db-1")));
  EXPECT_TRUE(sees("volume_access_violated", "data-db-1", 1, ",rule=\"single_pod\""));
  EXPECT_TRUE(told("copy", "its mode is ReadWriteOncePod"));
}

TEST_F(HealthTest, WhatWasLeftBehindIsListedAndNeverTouched) {
  volume("db");  // a living pod's, staged as it should be
  Node::mount(device, node->staging_dir("pv-db"), "ext4", 0);
  const std::string dead = node->volume_dir("u-dead", "empty-dir", "cache");
  std::ofstream(dead + "/scratch") << std::string(300 << 10, 'x');
  const std::string mounted = node->csi_dir("u-dead", "pv-dead");
  node->mount_image(node->image("ext4", 64 << 20), "ext4", mounted);
  const std::string staged = node->staging_dir("pv-unused");
  node->mount_image(node->image("ext4", 64 << 20), "ext4", staged);
  const ForgottenLoop idle(node->image("", 32 << 20));
  start({"--health.orphans-after=1s"});
  const auto orphans = [&](const std::string& kind) {
    return agent->metric("volumeter_orphans{kind=\"" + kind + "\"}").value_or(-1);
  };
  for (const std::string kind : {"pod_directory", "mount", "staging"}) {
    EXPECT_TRUE(eventually([&] { return orphans(kind) == 1; })) << kind << orphans(kind);
  }
  EXPECT_TRUE(eventually([&] { return orphans("loop_device") >= 1; }));
  EXPECT_TRUE(eventually([&] {
    return agent->metric("volumeter_orphan_bytes{kind=\"pod_directory\"}").value_or(0) >= 300 << 10;
  }));
  EXPECT_EQ(agent->metric("volumeter_orphan_bytes{kind=\"staging\"}"), 64 << 20);
  const std::string page = agent->get("/").body;
  for (const std::string& what : {node->kubelet() + "/pods/u-dead", mounted, staged,
                                  fs::path(idle.device).filename().string()}) {
    EXPECT_NE(page.find(what), std::string::npos) << what << "\n" << page;
  }
  EXPECT_EQ(page.find(node->staging_dir("pv-db")), std::string::npos);
  // Its pod turns up.
  api->set_pod("u-dead", pod_json("shop", "late", "u-dead", R"({"name":"cache","emptyDir":{}})"));
  EXPECT_TRUE(eventually([&] { return orphans("pod_directory") == 0 && orphans("mount") == 0; }));
  EXPECT_TRUE(fs::exists(dead + "/scratch"));
}

}  // namespace
}  // namespace volumeter::test
