// Which devices a volume lies on, and whether it has them to itself.
#include "inventory/device_map.h"

#include <gtest/gtest.h>

#include "inventory/inventory_builder.h"

namespace volumeter {
namespace {

constexpr const char* kRoot = "/var/lib/kubelet";
constexpr const char* kUid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
constexpr const char* kOtherUid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

class DeviceMapTest : public testing::Test {
 protected:
  DeviceMapTest() {
    device({254, 0}, "vda");
    mount({254, 0}, "/", "/", "ext4", "/dev/vda");
    input_.kubelet.root = kRoot;
  }

  BlockDevice& device(DeviceNumber number, const std::string& name,
                      const std::vector<std::string>& below = {}) {
    BlockDevice& device = input_.devices.by_number[number];
    device.name = name;
    device.number = number;
    device.below = below;
    device.size_bytes = 1 << 20;
    return device;
  }
  MountEntry& mount(DeviceNumber number, const std::string& root, const std::string& where,
                    const std::string& fstype, const std::string& source) {
    MountEntry entry;
    entry.device = number;
    entry.root = root;
    entry.mount_point = where;
    entry.fstype = fstype;
    entry.source = source;
    return input_.mounts.emplace_back(entry);
  }
  std::string volume(const std::string& name, const std::string& uid = kUid) {
    PodVolumeDir dir;
    dir.pod_uid = uid;
    dir.plugin = "csi";
    dir.name = name;
    dir.path =
        std::string(kRoot) + "/pods/" + uid + "/volumes/kubernetes.io~csi/" + name + "/mount";
    input_.kubelet.pod_uids.push_back(uid);
    input_.kubelet.volumes.push_back(dir);
    return dir.path;
  }
  // The names of what a volume has to itself.
  std::vector<std::string> own(const std::string& name, const std::string& uid = kUid) {
    inventory_ = build_inventory(input_);
    std::vector<std::string> names;
    for (const Subject& subject : inventory_->subjects) {
      const Volume& volume = inventory_->volumes[subject.volumes[0]];
      if (volume.name != name || inventory_->pods[volume.pod].uid != uid) continue;
      for (const std::size_t i : subject.devices)
        names.push_back(inventory_->devices[i].block.name);
    }
    return names;
  }
  using Names = std::vector<std::string>;

  InventoryInput input_;
  std::shared_ptr<const Inventory> inventory_;
};

TEST_F(DeviceMapTest, AVolumeOnItsOwnDiskHasIt) {
  device({8, 16}, "sdb");
  mount({8, 16}, "/", volume("data"), "ext4", "/dev/sdb");
  EXPECT_EQ(own("data"), Names{"sdb"});
}

TEST_F(DeviceMapTest, TheNodesDiskIsNobodys) {
  mount({254, 0}, "/srv/data", volume("data"), "ext4", "/dev/vda");
  EXPECT_EQ(own("data"), Names{});
  EXPECT_TRUE(inventory_->devices[0].used);
  EXPECT_TRUE(inventory_->pod_devices.empty()) << "containers write there, too";
}

TEST_F(DeviceMapTest, LogicalVolumesAreTheirVolumesAndTheirDiskIsShared) {
  device({8, 16}, "sdb");
  device({253, 0}, "dm-0", {"sdb"});
  device({253, 1}, "dm-1", {"sdb"});
  mount({253, 0}, "/", volume("a"), "ext4", "/dev/mapper/vg-a");
  mount({253, 1}, "/", volume("b"), "xfs", "/dev/mapper/vg-b");
  EXPECT_EQ(own("a"), Names{"dm-0"});
  EXPECT_EQ(own("b"), Names{"dm-1"});
  for (const Device& device : inventory_->devices) {
    if (device.block.name == "sdb") {
      EXPECT_FALSE(device.owner || device.used);
    }
  }
}

// A whole disk and a partition of it in use at once: neither's counters are the other's.
TEST_F(DeviceMapTest, ADiskWithAUsedPartitionIsShared) {
  device({8, 16}, "sdb");
  device({8, 17}, "sdb1").disk = "sdb";
  mount({8, 16}, "/", volume("whole"), "ext4", "/dev/sdb");
  mount({8, 17}, "/", volume("part"), "ext4", "/dev/sdb1");
  EXPECT_EQ(own("whole"), Names{});
  EXPECT_EQ(own("part"), Names{"sdb1"});
}

TEST_F(DeviceMapTest, BtrfsHasSeveralAndAnAnonymousNumber) {
  device({8, 16}, "sdb");
  device({8, 32}, "sdc");
  input_.devices.btrfs = {{"sdb", "sdc"}};
  mount({0, 55}, "/", volume("data"), "btrfs", "/dev/sdb");
  EXPECT_EQ(own("data"), (Names{"sdb", "sdc"}));
}

TEST_F(DeviceMapTest, AnOverlayWritesWhereItsUpperDirectoryIs) {
  device({8, 16}, "sdb");
  mount({8, 16}, "/", "/mnt/layers", "ext4", "/dev/sdb");
  MountEntry overlay = mount({0, 60}, "/", "/merged", "overlay", "overlay");
  overlay.upper_dir = "/mnt/layers/upper";
  const MountIndex mounts(input_.mounts);
  DeviceMap map(input_.devices, mounts);
  const auto beneath = map.beneath(overlay);
  const std::vector<Device> devices = map.take();
  ASSERT_EQ(beneath.size(), 1U);
  EXPECT_EQ(devices[beneath[0]].block.name, "sdb");
}

// What a loop device does to its file is I/O of the volume with the file: both are right.
TEST_F(DeviceMapTest, ALoopDeviceOnAVolumesFilesystemLeavesItItsDisk) {
  device({8, 16}, "sdb");
  const std::string images = volume("images");
  mount({8, 16}, "/", images, "ext4", "/dev/sdb");
  device({7, 0}, "loop0").backing_file = images + "/a.img";
  const std::string inner = volume("inner", kOtherUid);
  mount({7, 0}, "/", inner, "ext4", "/dev/loop0");
  device({7, 1}, "loop1").backing_file = inner + "/b.img";
  mount({7, 1}, "/", volume("innermost", kOtherUid), "ext4", "/dev/loop1");
  EXPECT_EQ(own("images"), Names{"sdb"});
  EXPECT_EQ(own("inner", kOtherUid), Names{"loop0"});
  EXPECT_EQ(own("innermost", kOtherUid), Names{"loop1"});
  for (const Device& device : inventory_->devices) {
    if (device.block.name != "loop1") continue;
    ASSERT_EQ(device.below.size(), 1U);
    EXPECT_EQ(inventory_->devices[device.below[0]].block.name, "loop0");
  }
}

TEST_F(DeviceMapTest, PhantomsOfBlockVolumesAreNoDevices) {
  device({7, 5}, "loop5").backing_file =
      "/var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/pv/dev/uid";
  own("");
  EXPECT_EQ(inventory_->devices.size(), 1U);
}

class SharedDiskTest : public DeviceMapTest {
 protected:
  SharedDiskTest() {
    device({8, 16}, "sdb");
    mount({8, 16}, "/", "/mnt/disk", "ext4", "/dev/sdb");
    mount({8, 16}, "/a", volume("a"), "ext4", "/dev/sdb");
    mount({8, 16}, "/b", volume("b", kOtherUid), "ext4", "/dev/sdb");
    input_.cgroups = {{kUid, 11}, {kOtherUid, 12}};
  }
};

TEST_F(SharedDiskTest, PodsTellVolumesOnOneDiskApart) {
  EXPECT_EQ(own("a"), Names{});
  ASSERT_EQ(inventory_->pod_devices.size(), 2U);
  const PodDevice& first = inventory_->pod_devices[0];
  EXPECT_EQ(inventory_->devices[first.device].block.name, "sdb");
  EXPECT_EQ(inventory_->pods[first.pod].uid, kUid);
  EXPECT_EQ(inventory_->volumes[inventory_->subjects[first.subject].volumes[0]].name, "a");
}

// Which of its two volumes a pod wrote to, nobody can say.
TEST_F(SharedDiskTest, APodWithTwoVolumesThereIsNotSplit) {
  mount({8, 16}, "/c", volume("c"), "ext4", "/dev/sdb");
  own("a");
  ASSERT_EQ(inventory_->pod_devices.size(), 1U);
  EXPECT_EQ(inventory_->pods[inventory_->pod_devices[0].pod].uid, kOtherUid);
}

// The loop device's thread works for the pod: its writes to the file are the pod's to the disk.
TEST_F(SharedDiskTest, NorOneWithALoopDeviceWhoseFileIsThere) {
  device({7, 0}, "loop0").backing_file = "/mnt/disk/image";
  mount({7, 0}, "/", volume("looped"), "ext4", "/dev/loop0");
  EXPECT_EQ(own("looped"), Names{"loop0"});
  ASSERT_EQ(inventory_->pod_devices.size(), 1U);
  EXPECT_EQ(inventory_->pods[inventory_->pod_devices[0].pod].uid, kOtherUid);
}

TEST_F(SharedDiskTest, WithoutCgroupsNothingIsSplit) {
  input_.cgroups.clear();
  own("a");
  EXPECT_TRUE(inventory_->pod_devices.empty());
}

}  // namespace
}  // namespace volumeter
