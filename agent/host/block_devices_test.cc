#include "host/block_devices.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "host/pod_cgroups.h"
#include "support/temp_directory.h"

namespace volumeter {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPartitions =
    "major minor  #blocks  name\n\n"
    "   8        0 3906250000 sda\n   8        1    1048576 sda1\n   8        2 3905000000 sda2\n"
    "   8       16   10485760 sdb\n   8       32   10485760 sdc\n 253        0   10485760 dm-0\n"
    " 259        0  104857600 nvme0n1\n 253        1  104857600 dm-1\n 253        2   52428800 "
    "dm-2\n"
    " 259        1  104857600 nvme1n1\n 259        2  104857600 nvme2n1\n   8       48  104857600 "
    "sdd\n"
    "   9        0  104857600 md0\n 251        0    1048576 rbd0\n  43        0    1048576 nbd0\n"
    " 252        0     524288 zram0\n   7        0      65536 loop0\n 254        0  268435456 "
    "vda\n";

// <sysfs> and <procfs> of a fixture.
class BlockDevicesTest : public testing::Test {
 protected:
  BlockDevicesTest() : reader_(host()) {
    std::ifstream lines(std::string(SOURCE_DIR) + "/tests/fixtures/sysfs/disks.txt");
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line.starts_with("#")) continue;
      const auto link = line.find(" -> ");
      const auto value = line.find(" = ");
      const fs::path path =
          fs::path(directory_.path()) / "sys" / line.substr(0, std::min(link, value));
      fs::create_directories(path.parent_path());
      if (link != std::string::npos) {
        fs::create_symlink(line.substr(link + 4), path);
      } else if (value != std::string::npos) {
        std::ofstream(path) << line.substr(value + 3) << "\n";
      } else {
        fs::create_directories(path);
      }
    }
    fs::create_directories(directory_.path() + "/proc");
    partitions(kPartitions);
  }

  [[nodiscard]] HostPaths host() const {
    HostPaths host;
    host.procfs = directory_.path() + "/proc";
    host.sysfs = directory_.path() + "/sys";
    return host;
  }
  void partitions(const std::string& text) const {
    std::ofstream(directory_.path() + "/proc/partitions") << text;
  }
  void write(const std::string& attribute, const std::string& value) const {
    std::ofstream(directory_.path() + "/sys/devices/virtual/block/" + attribute) << value << "\n";
  }
  BlockDevice device(const std::string& name) {
    const auto all = reader_.read();
    for (const auto& [number, device] : all.value().by_number) {
      if (device.name == name) return device;
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }

  test::TempDirectory directory_{"sysfs"};
  BlockDeviceReader reader_;
};

TEST_F(BlockDevicesTest, TiersAreWhatDevicesSayOfThemselves) {
  const std::map<std::string, Tier> expected = {
      {"sda", Tier::kHdd},         {"sda1", Tier::kHdd},        {"sdb", Tier::kNetwork},
      {"dm-0", Tier::kNetwork},    {"nvme0n1", Tier::kNetwork}, {"dm-2", Tier::kNetwork},
      {"nvme1n1", Tier::kNetwork}, {"nvme2n1", Tier::kSsd},     {"rbd0", Tier::kNetwork},
      {"nbd0", Tier::kNetwork},    {"zram0", Tier::kMemory},    {"loop0", Tier::kLoop},
      {"vda", Tier::kUnknown},     {"md0", Tier::kUnknown}};  // of a disk and an SSD: neither
  for (const auto& [name, tier] : expected) {
    EXPECT_EQ(to_string(device(name).tier), to_string(tier)) << name;
  }
}

TEST_F(BlockDevicesTest, APartitionIsItsDisks) {
  const BlockDevice part = device("sda2");
  EXPECT_EQ(part.disk, "sda");
  EXPECT_EQ(part.sequence, 3U);
  EXPECT_EQ(part.model, "ST4000NM000A-2HZ");
  EXPECT_EQ(part.scheduler, "mq-deadline");
  EXPECT_EQ(part.rotational, true);
  EXPECT_FALSE(part.bio_based);
}

TEST_F(BlockDevicesTest, StacksAreKnownWithTheirEncryption) {
  EXPECT_EQ(device("dm-0").below, (std::vector<std::string>{"sdb", "sdc"}));
  EXPECT_EQ(device("dm-0").bio_based, false) << "multipath has requests";
  EXPECT_EQ(device("dm-1").encryption, "luks2");
  EXPECT_EQ(device("dm-2").encryption, "luks2") << "all of what it lies on";
  EXPECT_EQ(device("dm-2").mapper_name, "vg-data");
  EXPECT_TRUE(device("dm-2").bio_based);
  EXPECT_EQ(device("nvme0n1").encryption, "");
  EXPECT_EQ(device("md0").below, (std::vector<std::string>{"nvme2n1", "sdd"}));
}

TEST_F(BlockDevicesTest, BtrfsTellsItsDevices) {
  const auto all = reader_.read();
  ASSERT_EQ(all.value().btrfs.size(), 1U);
  EXPECT_EQ(all.value().btrfs[0], (std::vector<std::string>{"sda1", "sdd"}));
}

// The driver keeps a loop device's counters from one file to the next.
TEST_F(BlockDevicesTest, AnotherDiskOnTheSameNumberStartsWhereTheFormerEnded) {
  EXPECT_EQ(device("loop0").counted_before.values[0], 7U) << "who knows whose they were";
  EXPECT_EQ(device("nbd0").counted_before.values[0], 100U);
  EXPECT_EQ(device("sda").counted_before.count, 0U) << "its counters came with it";
  write("loop0/stat", "1007 0 56 1 9 0 72 1 0 2 2");
  EXPECT_EQ(device("loop0").counted_before.values[0], 7U) << "the same disk";
  write("loop0/diskseq", "21");
  EXPECT_EQ(device("loop0").counted_before.values[0], 1007U);
  EXPECT_EQ(device("loop0").sequence, 21U);
}

// Before Linux 5.15 nothing numbers disks.
TEST_F(BlockDevicesTest, WithoutDiskSequencesALoopDeviceIsItsFile) {
  fs::remove(directory_.path() + "/sys/devices/virtual/block/loop0/diskseq");
  const BlockDevice before = device("loop0");
  write("loop0/loop/backing_file", "/data/images/b.img");
  write("loop0/stat", "50 0 56 1 9 0 72 1 0 2 2");
  EXPECT_NE(device("loop0").sequence, before.sequence);
  EXPECT_EQ(device("loop0").counted_before.values[0], 50U);
}

TEST_F(BlockDevicesTest, WithoutSysfsNamesAndSizesRemain) {
  fs::remove_all(directory_.path() + "/sys");
  EXPECT_EQ(device("sda").size_bytes, 3906250000ULL * 1024);
  EXPECT_EQ(device("sda").tier, Tier::kUnknown);
  partitions("nonsense\n8 x 1 sda\n 8 0 10 sda\n");
  EXPECT_EQ(reader_.read().value().by_number.size(), 1U);
  fs::remove(directory_.path() + "/proc/partitions");
  EXPECT_FALSE(reader_.read());
}

TEST(PodCgroups, AreFoundByTheirUidHoweverTheyAreWritten) {
  const test::TempDirectory directory("cgroup");
  const std::string root = directory.path() + "/fs/cgroup";
  const std::string plain = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
  const std::string slice = "kubepods-burstable-pod7c9e6679_7425_40de_944b_e07fc1f90ae7.slice";
  fs::create_directories(root + "/kubepods.slice/kubepods-burstable.slice/" + slice + "/ctr");
  fs::create_directories(root + "/kubelet/kubepods/besteffort/pod" + plain);
  fs::create_directories(root + "/user.slice/pod00000000-0000-0000-0000-000000000000");
  HostPaths host;
  host.sysfs = directory.path();
  EXPECT_TRUE(find_pod_cgroups(host).empty()) << "neither v1's blkio nor v2";
  std::ofstream(root + "/cgroup.controllers") << "io\n";
  EXPECT_TRUE(find_pod_cgroups(host).empty()) << "the io controller isn't on for pods";
  std::ofstream(root + "/kubelet/kubepods/besteffort/pod" + plain + "/io.stat").flush();
  std::ofstream(root + "/kubepods.slice/kubepods-burstable.slice/" + slice + "/io.stat").flush();
  const PodCgroups found = find_pod_cgroups(host);
  EXPECT_EQ(found.size(), 2U);
  EXPECT_TRUE(found.contains(plain));
  EXPECT_TRUE(found.contains("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
  EXPECT_EQ(pod_uid_of_cgroup("kubepods"), "");
  EXPECT_EQ(pod_uid_of_cgroup("podman"), "");
}

}  // namespace
}  // namespace volumeter
