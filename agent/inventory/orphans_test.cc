#include "inventory/orphans.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/mount_entry.h"

namespace volumeter {
namespace {

using test::mount_entry;

constexpr const char* kRoot = "/var/lib/kubelet";
constexpr DeviceNumber kDisk = {8, 16};
constexpr DeviceNumber kLoop = {7, 3};

class OrphansTest : public testing::Test {
 protected:
  OrphansTest() {
    input_.mounts.push_back(mount_entry({254, 0}, "/", "/"));
    input_.kubelet.root = kRoot;
    input_.pods_listed = true;
    add_device("sdb", kDisk);
  }

  BlockDevice& add_device(const std::string& name, DeviceNumber number) {
    BlockDevice& device = input_.devices.by_number[number];
    device.name = name;
    device.number = number;
    device.size_bytes = 1 << 20;
    return device;
  }
  BlockDevice& add_loop(const std::string& file) {
    BlockDevice& loop = add_device("loop3", kLoop);
    loop.backing_file = file;
    return loop;
  }
  void add_pod(const std::string& uid) {
    input_.metadata.pods[uid].pod.uid = uid;
    input_.metadata.pods[uid].phase = "Running";
  }
  // Of pod `uid`, mounted.
  std::string csi(const std::string& uid, const std::string& handle) {
    PodVolumeDir dir;
    dir.pod_uid = uid;
    dir.plugin = "csi";
    dir.name = "pv";
    dir.path = std::string(kRoot) + "/pods/" + uid + "/volumes/kubernetes.io~csi/pv/mount";
    dir.csi = {"disks", handle, "pv", false};
    input_.kubelet.pod_uids.push_back(uid);
    input_.kubelet.volumes.push_back(dir);
    input_.mounts.push_back(mount_entry(kDisk, "/", dir.path));
    return dir.path;
  }
  std::string stage(const std::string& handle, DeviceNumber device = kDisk) {
    const std::string path =
        std::string(kRoot) + "/plugins/kubernetes.io/csi/disks/" + handle + "/globalmount";
    input_.kubelet.staged.push_back({path, "disks", handle});
    input_.mounts.push_back(mount_entry(device, "/", path));
    return path;
  }

  // "kind path", sorted.
  std::vector<std::string> found() {
    inventory_ = build_inventory(input_);
    std::vector<std::string> all;
    if (!inventory_->orphans) return {"unknown"};
    for (const Orphan& orphan : *inventory_->orphans) {
      all.push_back(std::string(to_string(orphan.kind)) + " " + orphan.path);
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  using Found = std::vector<std::string>;
  InventoryInput input_;
  std::shared_ptr<const Inventory> inventory_;
};

TEST_F(OrphansTest, ALivingPodLeavesNothingBehind) {
  add_pod("u1");
  csi("u1", "h1");
  stage("h1");
  EXPECT_EQ(found(), Found());
}

TEST_F(OrphansTest, ADeadPodsDirectoryAndItsMount) {
  const std::string path = csi("u1", "h1");
  input_.mounts.push_back(
      mount_entry({0, 40}, "/", std::string(kRoot) + "/pods/u1/volumes/token", "tmpfs", "tmpfs"));
  EXPECT_EQ(found(), (Found{"mount " + path, "pod_directory " + std::string(kRoot) + "/pods/u1"}));
  const Orphan& directory = inventory_->orphans->front();
  ASSERT_TRUE(directory.target);
  EXPECT_TRUE(inventory_->targets[*directory.target].walk) << "its bytes are counted";
}

// Nobody has said which pods there are.
TEST_F(OrphansTest, WithoutPodsNobodyKnows) {
  csi("u1", "h1");
  input_.pods_listed = false;
  EXPECT_EQ(found(), Found{"unknown"});
}

TEST_F(OrphansTest, AMountInADirectoryThatIsGone) {
  const std::string path = std::string(kRoot) + "/pods/u9/volumes/kubernetes.io~csi/pv/mount";
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  EXPECT_EQ(found(), Found{"mount " + path});
  EXPECT_EQ(inventory_->orphans->front().device, "sdb");
  EXPECT_EQ(inventory_->orphans->front().bytes, 1U << 20);
}

TEST_F(OrphansTest, AVolumeThatWasStagedForNobody) {
  add_pod("u1");
  csi("u1", "h1");
  stage("h1");
  const std::string path = stage("h2", {8, 32});
  EXPECT_EQ(found(), Found{"staging " + path});
}

// In-tree plugins have no handle: somebody must have mounted the same filesystem.
TEST_F(OrphansTest, AGlobalMountWithoutAHandle) {
  const std::string path = std::string(kRoot) + "/plugins/kubernetes.io/local-volume/mounts/pv";
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  EXPECT_EQ(found(), Found{"staging " + path});
  add_pod("u1");
  csi("u1", "h1");
  EXPECT_EQ(found(), Found());
}

TEST_F(OrphansTest, ALoopDeviceThatNothingIsOn) {
  BlockDevice& loop = add_loop("/srv/image");
  EXPECT_EQ(found(), Found{"loop_device /srv/image"});
  loop.autoclear = true;  // somebody has it open, or it would be gone
  EXPECT_EQ(found(), Found());
  loop.autoclear = false;
  input_.mounts.push_back(mount_entry(kLoop, "/", "/mnt"));
  EXPECT_EQ(found(), Found());
  input_.mounts.pop_back();
  add_device("dm-0", {253, 0}).below = {"loop3"};
  EXPECT_EQ(found(), Found());
}

TEST_F(OrphansTest, ALoopDeviceWhosePartitionIsMounted) {
  add_loop("/srv/image");
  add_device("loop3p1", {259, 0}).disk = "loop3";
  input_.mounts.push_back(mount_entry({259, 0}, "/", "/mnt"));
  EXPECT_EQ(found(), Found());
}

// The kubelet's lock of a block volume outlives its pod.
TEST_F(OrphansTest, TheKubeletsLockOfADeadPod) {
  const std::string file =
      std::string(kRoot) + "/plugins/kubernetes.io/csi/volumeDevices/pv/dev/u1";
  add_loop(file);
  EXPECT_EQ(found(), Found{"loop_device " + file});
  add_pod("u1");
  EXPECT_EQ(found(), Found());
}

}  // namespace
}  // namespace volumeter
