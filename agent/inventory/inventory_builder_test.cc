#include "inventory/inventory_builder.h"

#include <gtest/gtest.h>

#include <set>

#include "inventory/mount_index.h"
#include "support/mount_entry.h"
#include "support/pod_volume_dir.h"

namespace volumeter {
namespace {

using test::mount_entry;

constexpr const char* kRoot = "/var/lib/kubelet";

class BuilderTest : public testing::Test {
 protected:
  BuilderTest() {
    input_.mounts.push_back(mount_entry({254, 0}, "/", "/", "ext4", "/dev/vda"));
    input_.kubelet.root = kRoot;
  }

  PodVolumeDir& dir(const std::string& uid, const std::string& plugin, const std::string& name) {
    input_.kubelet.pod_uids.push_back(uid);
    return input_.kubelet.volumes.emplace_back(test::pod_volume_dir(kRoot, uid, plugin, name));
  }

  InventoryInput input_;
};

TEST_F(BuilderTest, NetworkFilesystemsShareByNature) {
  int minor = 50;
  for (const char* fstype : {"nfs4", "cifs", "ceph", "fuse.s3fs", "fuse"}) {
    const PodVolumeDir& d = dir("u1", "csi", std::string("v-") + fstype);
    input_.mounts.push_back(
        mount_entry({0, static_cast<unsigned>(minor++)}, "/", d.path, fstype, "server:/x"));
  }
  const PodVolumeDir& local = dir("u1", "csi", "v-fuseblk");
  input_.mounts.push_back(mount_entry({8, 1}, "/", local.path, "fuseblk", "/dev/sda1"));
  const auto inventory = build_inventory(input_);
  ASSERT_EQ(inventory->volumes.size(), 6U);
  for (const Volume& volume : inventory->volumes) {
    EXPECT_EQ(volume.shares_filesystem, volume.name != "v-fuseblk") << volume.name;
    EXPECT_TRUE(volume.target) << "it is still asked whether it responds";
  }
}

// Several FUSE mounts in pods have the same source and no mount point to tell them by.
TEST_F(BuilderTest, NoTwoFilesystemsHaveTheSameLabels) {
  for (unsigned i = 0; i < 3; ++i) {
    const PodVolumeDir& d = dir("u1", "csi", "v" + std::to_string(i));
    input_.mounts.push_back(mount_entry({0, 60 + i}, "/", d.path, "fuse.s3fs", "s3fs"));
  }
  const auto inventory = build_inventory(input_);
  std::set<std::vector<std::string>> labels;
  for (const Filesystem& filesystem : inventory->filesystems) {
    EXPECT_TRUE(labels.insert(*filesystem.labels).second);
    EXPECT_EQ(filesystem.labels->at(1).find("pods"), std::string::npos);
  }
  EXPECT_EQ(labels.size(), 4U);
}

TEST_F(BuilderTest, HostileNamesGiveValidAndDistinctLabels) {
  dir("u1", "empty-dir", "a\nb");
  dir("u1", "empty-dir", "a\xff");
  dir("u1", "empty-dir", "a\xfe");
  const auto inventory = build_inventory(input_);
  std::set<std::vector<std::string>> labels;
  for (const Subject& subject : inventory->subjects) labels.insert(*subject.labels);
  EXPECT_EQ(labels.size(), 3U);
  EXPECT_TRUE(labels.contains({"", "u1", "a\\x0ab", "emptyDir"}));
}

TEST_F(BuilderTest, AVolumeOfAPersistentVolumesNameIsNotTakenForIt) {
  dir("u1", "local-volume", "cache");
  dir("u1", "empty-dir", "cache");
  PodMetadata pod;
  pod.pod.uid = "u1";
  pod.pod.namespace_ = "ns";
  pod.phase = "Running";
  pod.volumes = {{"cache", VolumeKind::kEmptyDir, "", "", "", 5},
                 {"data", VolumeKind::kUnknown, "claim", "", "", {}}};
  input_.metadata.pods["u1"] = pod;
  const auto inventory = build_inventory(input_);
  ASSERT_EQ(inventory->volumes.size(), 2U);
  const Volume& local = inventory->volumes[0];
  EXPECT_EQ(local.name, "data");
  ASSERT_TRUE(local.claim);
  EXPECT_EQ(inventory->claims[*local.claim].name, "claim");
  EXPECT_EQ(inventory->volumes[1].size_limit, 5U);
}

TEST_F(BuilderTest, AHostPathOnADiskOfItsOwnIsMeasuredAndOneOnTheNodesDiskIsNot) {
  PodMetadata pod;
  pod.pod.uid = "u1";
  pod.phase = "Running";
  pod.volumes = {{"disk", VolumeKind::kHostPath, "", "/mnt/disk1", "", {}},
                 {"logs", VolumeKind::kHostPath, "", "/var/log", "", {}},
                 {"sys", VolumeKind::kHostPath, "", "/sys", "", {}}};
  input_.metadata.pods["u1"] = pod;
  input_.kubelet.pod_uids = {"u1"};
  input_.mounts.push_back(mount_entry({8, 16}, "/", "/mnt/disk1", "xfs", "/dev/sdb"));
  input_.mounts.push_back(mount_entry({0, 22}, "/", "/sys", "sysfs", "sysfs"));
  const auto inventory = build_inventory(input_);
  ASSERT_EQ(inventory->volumes.size(), 3U);
  EXPECT_FALSE(inventory->volumes[0].shares_filesystem);
  EXPECT_TRUE(inventory->volumes[0].target);
  EXPECT_TRUE(inventory->volumes[1].shares_filesystem);
  EXPECT_TRUE(inventory->volumes[1].filesystem);
  EXPECT_TRUE(inventory->volumes[2].shares_filesystem);
  EXPECT_FALSE(inventory->volumes[2].target);
}

TEST_F(BuilderTest, DirectoriesOfTheNodesDiskAreTargetsOfTheirOwn) {
  const std::string path = dir("u1", "empty-dir", "cache").path;
  dir("u1", "empty-dir", "other");
  const auto inventory = build_inventory(input_);
  const Target& target = inventory->targets[*inventory->volumes[0].target];
  EXPECT_EQ(target.path, "/");
  EXPECT_EQ("/" + target.below, path);
  EXPECT_EQ(target.root, path);
  EXPECT_TRUE(target.walk);
  EXPECT_NE(inventory->volumes[0].target, inventory->volumes[1].target);
}

// The same directory through a bind mount, and as the path of a hostPath.
TEST_F(BuilderTest, ADirectoryIsOneTargetHoweverItIsReached) {
  const PodVolumeDir& d = dir("u1", "local-volume", "pv-a");
  input_.mounts.push_back(mount_entry({8, 1}, "/", "/mnt/disk", "ext4", "/dev/sda1"));
  input_.mounts.push_back(mount_entry({8, 1}, "/a", d.path, "ext4", "/dev/sda1"));
  PodMetadata pod;
  pod.pod.uid = "u1";
  PodVolume path;
  path.name = "h";
  path.kind = VolumeKind::kHostPath;
  path.host_path = "/mnt//disk/a/";
  pod.volumes = {path};
  input_.metadata.pods["u1"] = pod;
  const auto inventory = build_inventory(input_);
  ASSERT_EQ(inventory->volumes.size(), 2U);
  EXPECT_EQ(inventory->volumes[0].target, inventory->volumes[1].target);
}

TEST_F(BuilderTest, WhatIsWalkedFollowsTheAnnotationsAndSharesByOneNodeOnly) {
  const auto walks = [&](const std::string& fstype, const std::string& wish,
                         const std::string& mode, bool held) {
    InventoryInput input = input_;
    PodVolumeDir d;
    d.pod_uid = "u1";
    d.plugin = "csi";
    d.name = "pv-a";
    d.path = std::string(kRoot) + "/pods/u1/volumes/kubernetes.io~csi/pv-a/mount";
    input.kubelet.pod_uids = {"u1"};
    input.kubelet.volumes = {d};
    input.mounts.push_back(
        mount_entry({0, 50}, fstype == "ext4" ? "/a" : "/", d.path, fstype, "x"));
    PodMetadata pod;
    pod.pod.uid = "u1";
    pod.pod.namespace_ = "shop";
    PodVolume volume;
    volume.name = "v";
    volume.claim_name = "c";
    pod.volumes = {volume};
    input.metadata.pods["u1"] = pod;
    ClaimMetadata claim;
    claim.claim.namespace_ = "shop";
    claim.claim.name = "c";
    claim.claim.access_modes = {mode};
    if (!wish.empty()) claim.claim.annotations["volumeter.io/walk"] = wish;
    claim.persistent_volume = "pv-a";
    input.metadata.claims[{"shop", "c"}] = claim;
    if (held) input.metadata.walked_here.insert({"shop", "c"});
    const auto inventory = build_inventory(input);
    return inventory->targets[*inventory->volumes[0].target].walk;
  };
  EXPECT_TRUE(walks("ext4", "", "ReadWriteOnce", false));
  EXPECT_FALSE(walks("ext4", "off", "ReadWriteOnce", false));
  for (const char* fstype : {"nfs4", "cifs", "ceph", "fuse.s3fs"}) {
    EXPECT_FALSE(walks(fstype, "", "ReadWriteOnce", true)) << fstype;
    EXPECT_FALSE(walks(fstype, "yes", "ReadWriteOnce", true)) << fstype;
    EXPECT_TRUE(walks(fstype, "on", "ReadWriteOnce", false)) << "one node is all there can be";
    EXPECT_FALSE(walks(fstype, "on", "ReadWriteMany", false)) << "another node's";
    EXPECT_TRUE(walks(fstype, "on", "ReadWriteMany", true)) << fstype;
  }
}

TEST_F(BuilderTest, WithoutKubernetesTheHostsFilesystemsAreMeasured) {
  input_.kubelet = {};
  input_.mounts.push_back(mount_entry({8, 1}, "/", "/data", "xfs", "/dev/sda1"));
  input_.mounts.push_back(mount_entry({8, 1}, "/sub", "/bind", "xfs", "/dev/sda1"));
  input_.mounts.push_back(mount_entry({0, 5}, "/", "/proc", "proc", "proc"));
  input_.mounts.push_back(mount_entry({0, 40}, "/", "/net", "nfs4", "server:/"));
  const auto inventory = build_inventory(input_);
  std::set<std::string> points;
  for (const Filesystem& fs : inventory->filesystems) points.insert(fs.mount.mount_point);
  EXPECT_EQ(points, (std::set<std::string>{"/", "/data", "/net"}));
}

TEST_F(BuilderTest, TheTopmostMountAnswersForItsPath) {
  const PodVolumeDir& d = dir("u1", "csi", "v");
  input_.mounts.push_back(mount_entry({8, 1}, "/", d.path, "ext4", "/dev/sda1"));
  input_.mounts.push_back(mount_entry({8, 2}, "/", d.path, "ext4", "/dev/sda2"));
  const auto inventory = build_inventory(input_);
  EXPECT_EQ(inventory->volumes[0].mount->device, (DeviceNumber{8, 2}));
}

TEST_F(BuilderTest, ImagesFilesystemIsFoundBeneathTheOverlays) {
  MountEntry overlay = mount_entry({0, 70}, "/", "/run/x/rootfs", "overlay", "overlay");
  overlay.upper_dir = "/var/lib/containerd/snapshots/1/fs";
  input_.mounts.push_back(mount_entry({8, 3}, "/", "/var/lib/containerd", "xfs", "/dev/sda3"));
  input_.mounts.push_back(overlay);
  const auto inventory = build_inventory(input_);
  std::set<std::string> points;
  for (const Filesystem& fs : inventory->filesystems) points.insert(fs.mount.mount_point);
  EXPECT_EQ(points, (std::set<std::string>{"/", "/var/lib/containerd"}));
}

TEST(KubeletRoot, IsFoundWhereverPodsHaveVolumesMounted) {
  const std::string k3s = "/var/lib/rancher/k3s/agent/kubelet";
  EXPECT_EQ(
      find_kubelet_root({mount_entry({0, 1}, "/", "/", "ext4", "x"),
                         mount_entry({0, 2}, "/", k3s + "/pods/u/volumes/kubernetes.io~csi/p/mount",
                                     "ext4", "x")}),
      k3s);
  EXPECT_EQ(find_kubelet_root({mount_entry({0, 1}, "/", "/", "ext4", "x")}), "");
  const std::string users = "/home/u/f";
  EXPECT_EQ(find_kubelet_root({mount_entry({0, 3}, "/", users, "fuse.sshfs", "x"),
                               mount_entry({0, 4}, "/", users + "/pods/u/volumes/kubernetes.io~x/y",
                                           "fuse.sshfs", "x")}),
            "")
      << "a user's FUSE mount is no kubelet's directory";
  EXPECT_EQ(
      find_kubelet_root({mount_entry({0, 1}, "/", "/volumes/kubernetes.io~csi", "ext4", "x")}), "");
}

// After a reboot the API server goes on saying that containers run, until the kubelet comes to it.
TEST_F(BuilderTest, ABareDirectoryBeforeItsPodHasStartedAwaitsItsMount) {
  dir("u1", "csi", "pv");
  PodMetadata& pod = input_.metadata.pods["u1"];
  pod.pod.uid = "u1";
  pod.phase = "Running";
  pod.running_containers = {"c1"};
  const auto at = [](int seconds) {
    return std::chrono::sys_seconds(std::chrono::seconds(seconds));
  };
  input_.booted = at(1000);
  pod.containers_started = at(900);
  EXPECT_TRUE(build_inventory(input_)->volumes[0].mount_awaited);
  EXPECT_FALSE(build_inventory(input_)->volumes[0].bare_directory);
  pod.containers_started = at(1100);
  EXPECT_FALSE(build_inventory(input_)->volumes[0].mount_awaited);
  const auto bare = build_inventory(input_)->volumes[0].bare_directory;
  ASSERT_TRUE(bare);
  EXPECT_TRUE(build_inventory(input_)->targets[*bare].walk);
  pod.phase = "Pending";
  EXPECT_FALSE(build_inventory(input_)->volumes[0].mount_awaited) << "an init container runs";
  pod.running_containers.clear();
  EXPECT_TRUE(build_inventory(input_)->volumes[0].mount_awaited);
  input_.metadata.pods.clear();
  EXPECT_TRUE(build_inventory(input_)->volumes[0].bare_directory) << "nobody says it is gone";
  input_.pods_listed = true;
  EXPECT_FALSE(build_inventory(input_)->volumes[0].bare_directory);
}

}  // namespace
}  // namespace volumeter
