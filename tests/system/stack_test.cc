// Logical volumes, encrypted disks and RAID, made for real: where the kernel has a device mapper
// (make test-vm).
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "system_test.h"

namespace volumeter::test {
namespace {

class StackTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    if (std::getenv("VOLUMETER_TEST_VM") == nullptr) {
      GTEST_SKIP() << "makes device mapper and RAID devices: only in make test-vm";
    }
    must_run({"modprobe", "-a", "dm_mod", "dm_crypt", "raid1", "xts", "ecb", "aes_generic"});
  }
  void TearDown() override {
    agent.reset();
    for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) must_run(*it);
    for (const std::string& loop : loops_) detach_loop(loop);
  }

  std::string disk() {
    loops_.push_back(attach_loop(node->image("", 48 << 20)));
    return loops_.back();
  }
  // A linear mapping of 32 MiB of `device`; its node below /dev.
  std::string linear(const std::string& name, const std::string& device, int from_sector = 0) {
    must_run({"dmsetup", "--noudevsync", "create", name, "--table",
              "0 32768 linear " + device + " " + std::to_string(from_sector)});
    must_run({"dmsetup", "mknodes"});
    undo_.push_back({"dmsetup", "--noudevsync", "remove", name});
    return "/dev/mapper/" + name;
  }
  void claim_on(const std::string& device, const std::string& volume) {
    must_run({"mkfs.ext4", "-q", device});
    const std::string where = node->csi_dir("u", volume);
    Node::mount(device, where, "ext4", 0);
    undo_.push_back({"umount", where});
  }
  void start_agent() {
    Agent::Options options;
    options.latency = true;
    agent = std::make_unique<Agent>(flags({"--interval=1s", "--worker.deadline=900ms"}), options);
    ASSERT_TRUE(agent->ready(60s));
    ASSERT_TRUE(agent->sees("volumeter_bpf_program_attached{program=\"block_bio_queue\"}", 1, 60s))
        << agent->log();
  }
  [[nodiscard]] double writes(const std::string& volume) const {
    return agent->metric(pod_series("io_writes_completed_total", "u", volume)).value_or(-1);
  }
  [[nodiscard]] double timed(const std::string& volume) const {
    return agent
        ->metric(pod_series("io_latency_seconds_count", "u", volume, "csi", ",operation=\"write\""))
        .value_or(-1);
  }
  void write_to(const std::string& volume) const {
    must_run({"dd", "if=/dev/zero", "of=" + node->csi_dir("u", volume) + "/file", "bs=64k",
              "count=50", "oflag=direct"});
  }
  [[nodiscard]] bool info_says(const std::string& device, const std::string& what) const {
    std::istringstream lines(agent->get("/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("volumeter_block_device_info{device=\"" + device + "\"")) {
        return line.find(what) != std::string::npos;
      }
    }
    return false;
  }

  std::unique_ptr<Agent> agent;
  std::vector<std::string> loops_;
  std::vector<std::vector<std::string>> undo_;
};

std::string kernel_name(const std::string& mapper) {
  const std::string path = std::filesystem::canonical(mapper).string();
  struct stat st {};
  ::stat(path.c_str(), &st);
  return "dm-" + std::to_string(minor(st.st_rdev));
}

TEST_F(StackTest, TwoVolumesOnOneDiskHaveTheirOwnNumbers) {
  const std::string shared = disk();
  claim_on(linear("volumeter-a", shared), "a");
  claim_on(linear("volumeter-b", shared, 40000), "b");
  start_agent();
  const double a = writes("a");
  const double b = writes("b");
  const double a_timed = timed("a");
  const double b_timed = timed("b");
  ASSERT_GE(a, 0) << agent->get("/metrics").body;
  ASSERT_GE(a_timed, 0);
  write_to("a");
  EXPECT_GE(writes("a") - a, 50);
  EXPECT_GE(timed("a") - a_timed, 50);
  EXPECT_LT(writes("b") - b, 50) << "its neighbour wrote";
  EXPECT_LT(timed("b") - b_timed, 50);
  EXPECT_TRUE(agent->metric("volumeter_block_device_io_writes_completed_total{device=\"" +
                            shared.substr(5) + "\"}"))
      << "the disk they share has its own";
}

TEST_F(StackTest, EncryptionShows) {
  const std::string plain = disk();
  const std::string key = node->directory() + "/key";
  std::ofstream(key) << std::string(32, 'k');
  must_run({"cryptsetup", "open", "--type", "plain", "--cipher", "aes-xts-plain64", "--key-size",
            "256", "--key-file", key, plain, "volumeter-c"});
  must_run({"dmsetup", "mknodes"});
  undo_.push_back({"cryptsetup", "close", "volumeter-c"});
  claim_on("/dev/mapper/volumeter-c", "secret");
  start_agent();
  EXPECT_TRUE(info_says(kernel_name("/dev/mapper/volumeter-c"), "encryption=\"plain\""));
  EXPECT_TRUE(info_says(kernel_name("/dev/mapper/volumeter-c"), "tier=\"loop\""));
  const double before = timed("secret");
  write_to("secret");
  EXPECT_GE(timed("secret") - before, 50);
}

TEST_F(StackTest, ARaidIsOneDevice) {
  const std::string one = disk();
  const std::string two = disk();
  must_run({"sh", "-c",
            "mdadm --create /dev/md127 --run --level=1 --raid-devices=2 --metadata=1.2 " + one +
                " " + two + " 2>&1"});
  undo_.push_back({"sh", "-c", "mdadm --stop /dev/md127 2>&1"});
  claim_on("/dev/md127", "raid");
  start_agent();
  const double before = writes("raid");
  const double before_timed = timed("raid");
  write_to("raid");
  EXPECT_GE(writes("raid") - before, 50);
  EXPECT_GE(timed("raid") - before_timed, 50);
  EXPECT_TRUE(info_says("md127", "tier=\"loop\""));
}

}  // namespace
}  // namespace volumeter::test
