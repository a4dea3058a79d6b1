#include "inventory/mount_promises.h"

#include <gtest/gtest.h>

#include "support/mount_entry.h"
#include "support/pod_volume_dir.h"

namespace volumeter {
namespace {

using test::mount_entry;

constexpr const char* kRoot = "/var/lib/kubelet";
constexpr DeviceNumber kDisk = {8, 16};
constexpr DeviceNumber kOther = {8, 32};

// A pod "u1" whose claim "data" is PersistentVolume "pv1".
class PromisesTest : public testing::Test {
 protected:
  PromisesTest() {
    input_.mounts.push_back(mount_entry({254, 0}, "/", "/", "ext4", "/dev/vda"));
    input_.kubelet.root = kRoot;
    for (const auto& [number, name] : {std::pair{kDisk, "sdb"}, {kOther, "sdc"}}) {
      BlockDevice device;
      device.name = name;
      device.number = number;
      input_.devices.by_number[number] = device;
    }
  }

  PersistentVolumeMetadata& persistent_volume(const std::string& name, VolumeKind kind) {
    PersistentVolumeMetadata& pv = input_.metadata.persistent_volumes[name];
    pv.name = name;
    pv.kind = kind;
    pv.claim_namespace = "ns";
    pv.claim_name = "claim-of-" + name;
    return pv;
  }

  PodVolumeDir& dir(const std::string& plugin, const std::string& name,
                    const std::string& uid = "u1") {
    input_.kubelet.pod_uids.push_back(uid);
    PodMetadata& pod = input_.metadata.pods[uid];
    pod.pod.uid = uid;
    pod.pod.namespace_ = "ns";
    pod.phase = "Running";
    pod.volumes = {{"data", VolumeKind::kUnknown, "claim-of-" + name, "", "", {}}};
    ClaimMetadata& claim = input_.metadata.claims[{"ns", "claim-of-" + name}];
    claim.claim.namespace_ = "ns";
    claim.claim.name = "claim-of-" + name;
    claim.persistent_volume = name;
    return input_.kubelet.volumes.emplace_back(test::pod_volume_dir(kRoot, uid, plugin, name));
  }

  // A CSI volume with its PersistentVolume; nothing is mounted yet.
  std::string csi(const std::string& name = "pv1", const std::string& uid = "u1") {
    PersistentVolumeMetadata& pv = persistent_volume(name, VolumeKind::kCsi);
    pv.csi_driver = "disks";
    pv.volume_handle = "handle-" + name;
    PodVolumeDir& found = dir("csi", name, uid);
    found.csi = {"disks", "handle-" + name, name, false};
    return found.path;
  }

  std::string local(const std::string& path) {
    persistent_volume("pv1", VolumeKind::kLocal).host_path = path;
    return dir("local-volume", "pv1").path;
  }

  MountPromises promises(std::size_t volume = 0) {
    return build_inventory(input_)->volumes.at(volume).promises;
  }

  InventoryInput input_;
};

TEST_F(PromisesTest, ADirectoryOfAnotherHandleIsNamed) {
  const std::string path = csi();
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  EXPECT_GT(promises().compared, 0);
  EXPECT_TRUE(promises().broken.empty());
  input_.kubelet.volumes[0].csi.volume_handle = "handle-old";
  ASSERT_EQ(promises().broken.size(), 1U);
  EXPECT_EQ(promises().broken[0],
            "mounted as disks handle-old, and its PersistentVolume is disks handle-pv1");
}

TEST_F(PromisesTest, StagedAndMountedMustBeOneFilesystem) {
  const std::string path = csi();
  const std::string staged = std::string(kRoot) + "/plugins/kubernetes.io/csi/disks/0a/globalmount";
  input_.kubelet.staged = {{staged, "disks", "handle-pv1"}};
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  EXPECT_TRUE(promises().broken.empty()) << "an empty globalmount promises nothing";
  input_.mounts.push_back(mount_entry(kDisk, "/", staged));
  EXPECT_TRUE(promises().broken.empty());
  input_.mounts.back() = mount_entry(kOther, "/", staged, "ext4", "/dev/sdc");
  ASSERT_EQ(promises().broken.size(), 1U);
  EXPECT_EQ(promises().broken[0], "/dev/sdb is mounted, and /dev/sdc is staged for it");
}

TEST_F(PromisesTest, AStagedSubdirectoryIsAPromiseToo) {
  const std::string path = csi();
  const std::string staged = std::string(kRoot) + "/plugins/kubernetes.io/csi/disks/0a/globalmount";
  input_.kubelet.staged = {{staged, "disks", "handle-pv1"}};
  input_.mounts.push_back(mount_entry(kDisk, "/tenant-b", path));
  input_.mounts.push_back(mount_entry(kDisk, "/tenant-a", staged));
  EXPECT_EQ(promises().broken.size(), 1U);
  input_.mounts[1] = mount_entry(kDisk, "/tenant-a/data", path);
  EXPECT_TRUE(promises().broken.empty());
}

TEST_F(PromisesTest, ALocalVolumeIsWhatIsMountedAtItsPath) {
  const std::string path = local("/mnt/disks/a");
  input_.mounts.push_back(mount_entry(kDisk, "/", "/mnt/disks/a"));
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  EXPECT_EQ(promises().compared, 2) << "its path, and that nobody else has it";
  EXPECT_TRUE(promises().broken.empty());
  // The pod was bound to the bare directory before the disk was mounted there.
  input_.mounts.back() = mount_entry({254, 0}, "/mnt/disks/a", path, "ext4", "/dev/vda");
  ASSERT_EQ(promises().broken.size(), 1U);
  EXPECT_EQ(promises().broken[0],
            "/dev/vda (its /mnt/disks/a) is mounted, and at its PersistentVolume's /mnt/disks/a is "
            "/dev/sdb");
}

// The path may lead through symlinks: the mount table doesn't tell.
TEST_F(PromisesTest, ALocalPathThatIsNoMountPointPromisesNothing) {
  const std::string path = local("/mnt/link/a");
  input_.mounts.push_back(mount_entry({254, 0}, "/data/a", path, "ext4", "/dev/vda"));
  EXPECT_EQ(promises().compared, 0);
}

TEST_F(PromisesTest, ALocalDiskIsTheDeviceThatIsNamed) {
  const std::string path = local("/dev/sdb");
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  EXPECT_TRUE(promises().broken.empty());
  input_.mounts.back() = mount_entry(kOther, "/", path, "ext4", "/dev/sdc");
  EXPECT_EQ(promises().broken.size(), 1U);
}

TEST_F(PromisesTest, AnNfsVolumeIsOfItsServer) {
  PersistentVolumeMetadata& pv = persistent_volume("pv1", VolumeKind::kNfs);
  pv.nfs_server = "10.0.0.1";
  pv.nfs_path = "/export/a/";
  const std::string path = dir("nfs", "pv1").path;
  input_.mounts.push_back(mount_entry({0, 50}, "/", path, "nfs4", "10.0.0.1:/export/a"));
  EXPECT_EQ(promises().compared, 1);
  EXPECT_TRUE(promises().broken.empty());
  input_.mounts.back().source = "10.0.0.1:/export/b";
  EXPECT_EQ(promises().broken.size(), 1U);
}

TEST_F(PromisesTest, AnNfsServerHasSeveralNamesAndAPathSeveralSpellings) {
  PersistentVolumeMetadata& pv = persistent_volume("pv1", VolumeKind::kNfs);
  const std::string path = dir("nfs", "pv1").path;
  input_.mounts.push_back(mount_entry({0, 50}, "/", path, "nfs4", ""));
  const auto breaks = [&](const std::string& server, const std::string& exported,
                          const std::string& mounted) {
    pv.nfs_server = server;
    pv.nfs_path = exported;
    input_.mounts.back().source = mounted;
    return promises().broken.size();
  };
  EXPECT_EQ(breaks("nas", "/", "nas:/"), 0U);
  EXPECT_EQ(breaks("nas", "//x//y/", "nas:/x/y"), 0U);
  EXPECT_EQ(breaks("fd00::1", "/x", "[fd00::1]:/x"), 0U);
  EXPECT_EQ(breaks("nas", "/x", "10.0.0.1:/x"), 0U) << "by its other name";
  EXPECT_EQ(breaks("10.0.0.2", "/x", "10.0.0.1:/x"), 1U);
  EXPECT_EQ(breaks("nas", "/x", "nas:/"), 1U);
}

TEST_F(PromisesTest, AFilesystemOfAnotherTypeIsAnotherFilesystem) {
  const std::string path = csi();
  input_.metadata.persistent_volumes["pv1"].fs_type = "xfs";
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  ASSERT_EQ(promises().broken.size(), 1U);
  EXPECT_EQ(promises().broken[0], "/dev/sdb is ext4, and its PersistentVolume says xfs");
  // Provisioners give a type to shares, too.
  input_.mounts.back() = mount_entry({0, 50}, "/", path, "nfs4", "server:/x");
  EXPECT_TRUE(promises().broken.empty());
}

TEST_F(PromisesTest, TwoPersistentVolumesHaveTwoFilesystems) {
  const std::string first = csi("pv1", "u1");
  const std::string second = csi("pv2", "u2");
  input_.mounts.push_back(mount_entry(kDisk, "/", first));
  input_.mounts.push_back(mount_entry(kOther, "/", second, "ext4", "/dev/sdc"));
  EXPECT_TRUE(promises(0).broken.empty());
  input_.mounts.back() = mount_entry(kDisk, "/", second);
  ASSERT_EQ(promises(0).broken.size(), 1U);
  EXPECT_EQ(promises(0).broken[0], "/dev/sdb is mounted for PersistentVolume pv2, too");
  EXPECT_EQ(promises(1).broken.size(), 1U);
  // Unless somebody made two for one volume.
  for (PodVolumeDir& found : input_.kubelet.volumes) found.csi.volume_handle = "same";
  for (auto& [name, pv] : input_.metadata.persistent_volumes) pv.volume_handle = "same";
  EXPECT_TRUE(promises(0).broken.empty());
  for (auto& [name, pv] : input_.metadata.persistent_volumes) {
    pv.kind = VolumeKind::kLocal;
    pv.host_path = "/mnt/shared";
  }
  EXPECT_TRUE(promises(0).broken.empty());
}

TEST_F(PromisesTest, ASubPathIsOfTheVolume) {
  const std::string path = csi();
  const std::string sub = std::string(kRoot) + "/pods/u1/volume-subpaths/pv1/db/0";
  input_.mounts.push_back(mount_entry(kDisk, "/", path));
  input_.mounts.push_back(mount_entry(kDisk, "/conf", sub));
  EXPECT_TRUE(promises().broken.empty());
  input_.mounts.back() = mount_entry(kOther, "/", sub, "ext4", "/dev/sdc");
  ASSERT_EQ(promises().broken.size(), 1U);
  EXPECT_EQ(promises().broken[0], "a subPath of it leads to /dev/sdc, and the volume is /dev/sdb");
}

// Exports hold others, and sidecars mount things in volumes.
TEST_F(PromisesTest, ASubPathMayLeadToWhatIsMountedInAShare) {
  const std::string path = csi();
  const std::string sub = std::string(kRoot) + "/pods/u1/volume-subpaths/pv1/db/0";
  input_.mounts.push_back(mount_entry({0, 50}, "/", path, "nfs4", "nas:/x"));
  input_.mounts.push_back(mount_entry({0, 51}, "/", sub, "nfs4", "nas:/x/child"));
  EXPECT_TRUE(promises().broken.empty());
}

TEST_F(PromisesTest, WhatIsNotMountedBreaksNoPromise) {
  csi();
  EXPECT_EQ(promises().compared, 0);
}

}  // namespace
}  // namespace volumeter
