#include "collect/probe_plan.h"

#include <gtest/gtest.h>

namespace volumeter {
namespace {

using namespace std::chrono_literals;

class ProbePlanTest : public testing::Test {
 protected:
  ProbePlanTest() {
    inventory.pods.resize(1);
    inventory.pods[0].namespace_ = "shop";
    inventory.claims.push_back({"shop", "db", {}, {}, {}, true});
    inventory.pods[0].known = true;
    inventory.namespace_annotations["shop"] = {};
    inventory.storage_class_annotations["fast"] = {};
    inventory.targets.push_back({{8, 1}, "/", "/v", "ext4", false, "", false});
    Device device;
    device.block.name = "sdb";
    device.block.number = {8, 16};
    inventory.devices.push_back(device);
    Volume volume;
    volume.name = "data";
    volume.kind = VolumeKind::kCsi;
    volume.claim = 0;
    volume.mounted = true;
    volume.storage_class = "fast";
    volume.mount = MountEntry{};
    volume.mount->fstype = "ext4";
    volume.target = 0;
    volume.devices = {0};
    inventory.volumes.push_back(volume);
    inventory.subjects.push_back({0, {0}, nullptr, false, {0}});
  }
  ProbePlan plan(ProbeMode mode = ProbeMode::kAnnotated) {
    return plan_probe(inventory, inventory.subjects[0], mode, 10s);
  }
  static Annotations probe(const std::string& value) { return {{"volumeter.io/probe", value}}; }
  Volume& volume() { return inventory.volumes[0]; }

  Inventory inventory;
};

TEST_F(ProbePlanTest, WithoutConsentThereIsNone) {
  EXPECT_FALSE(plan().wanted);
  for (const std::string value : {"off", "On", "true", ""}) {
    inventory.claims[0].annotations = probe(value);
    EXPECT_FALSE(plan().wanted) << value;
    EXPECT_FALSE(plan(ProbeMode::kAuto).wanted) << value;
  }
  inventory.claims[0].annotations = probe("on");
  EXPECT_FALSE(plan(ProbeMode::kOff).wanted);
}

TEST_F(ProbePlanTest, EachOwnerCanGiveIt) {
  inventory.storage_class_annotations["fast"] = probe("on");
  EXPECT_EQ(plan().asked_by, "StorageClass");
  inventory.namespace_annotations["shop"] = probe("named-file");
  EXPECT_EQ(plan().asked_by, "Namespace");
  EXPECT_EQ(plan().way, ProbeWay::kNamedFile);
  inventory.pods[0].annotations = probe("on");
  EXPECT_EQ(plan().asked_by, "Pod");
  inventory.claims[0].annotations = probe("on");
  EXPECT_EQ(plan().asked_by, "PersistentVolumeClaim");
  inventory.claims[0].annotations = probe("off");
  EXPECT_FALSE(plan().wanted);
}

// Who couldn't be heard may have said no.
TEST_F(ProbePlanTest, NobodyBeforeTheOneWhoAgreesMayBeUnheard) {
  inventory.storage_class_annotations["fast"] = probe("on");
  EXPECT_TRUE(plan().wanted);
  inventory.claims[0].read = false;
  EXPECT_FALSE(plan().wanted);
  EXPECT_FALSE(plan(ProbeMode::kAuto).wanted);
  inventory.claims[0].read = true;
  inventory.namespace_annotations.clear();
  EXPECT_FALSE(plan().wanted);
  inventory.claims[0].annotations = probe("on");  // whatever the others say
  EXPECT_TRUE(plan().wanted);
  inventory.claims[0].annotations.clear();
  inventory.namespace_annotations["shop"] = {};
  inventory.storage_class_annotations.clear();
  EXPECT_FALSE(plan(ProbeMode::kAuto).wanted);
  volume().storage_class.clear();  // there is none
  EXPECT_TRUE(plan(ProbeMode::kAuto).wanted);
  inventory.pods[0].known = false;
  EXPECT_FALSE(plan(ProbeMode::kAuto).wanted);
}

TEST_F(ProbePlanTest, OfTwoPodsTheMoreCarefulIsHeard) {
  inventory.pods.push_back(inventory.pods[0]);
  inventory.pods[0].annotations = probe("on");
  inventory.pods[1].annotations = probe("off");
  inventory.volumes.push_back(volume());
  inventory.volumes[1].pod = 1;
  inventory.subjects[0].volumes = {0, 1};
  EXPECT_FALSE(plan().wanted);
}

TEST_F(ProbePlanTest, IntervalAndBurstAreTheOwners) {
  inventory.claims[0].annotations = probe("on");
  EXPECT_EQ(plan().interval, 10s);
  EXPECT_FALSE(plan().burst);
  inventory.claims[0].annotations["volumeter.io/probe-interval"] = "1m";
  inventory.claims[0].annotations["volumeter.io/burst"] = "on";
  EXPECT_EQ(plan().interval, 60s);
  EXPECT_TRUE(plan().burst);
  inventory.claims[0].annotations["volumeter.io/probe-interval"] =
      "10ms";  // more often than is fit
  EXPECT_EQ(plan().interval, 10s);
}

TEST_F(ProbePlanTest, AutoTakesFilesystemsOfTheirOwn) {
  EXPECT_EQ(plan(ProbeMode::kAuto).asked_by, "--probe.mode=auto");
  volume().shares_filesystem = true;
  EXPECT_FALSE(plan(ProbeMode::kAuto).wanted);
  volume().shares_filesystem = false;
  for (const std::string type : {"nfs4", "cifs", "ceph", "fuse.sshfs", "tmpfs"}) {
    volume().mount->fstype = type;
    EXPECT_FALSE(plan(ProbeMode::kAuto).wanted) << type;
  }
}

TEST_F(ProbePlanTest, BlockVolumesAreReadWhateverIsAsked) {
  volume().mode = VolumeMode::kBlock;
  volume().mount.reset();
  volume().target.reset();
  for (const std::string value : {"on", "named-file", "read-only"}) {
    inventory.claims[0].annotations = probe(value);
    const ProbePlan made = plan();
    EXPECT_EQ(made.way, ProbeWay::kDevice);
    EXPECT_FALSE(made.writes());
    EXPECT_EQ(made.obstacle, "");
    EXPECT_EQ(made.target.path, "/dev/sdb");
    EXPECT_EQ(made.target.device, (DeviceNumber{8, 16}));
  }
}

TEST_F(ProbePlanTest, ReadOnlyNeedsADeviceThatNobodyShares) {
  inventory.claims[0].annotations = probe("read-only");
  EXPECT_EQ(plan().way, ProbeWay::kDevice);
  EXPECT_EQ(plan().obstacle, "");
  inventory.subjects[0].devices.clear();
  EXPECT_EQ(plan().obstacle, "no_device");
}

TEST_F(ProbePlanTest, SaysWhatIsInTheWay) {
  inventory.claims[0].annotations = probe("on");
  EXPECT_EQ(plan().obstacle, "");
  inventory.pods[0].deleting = true;
  EXPECT_EQ(plan().obstacle, "leaving");
  inventory.pods[0].deleting = false;
  volume().mounted = false;
  EXPECT_EQ(plan().obstacle, "not_mounted");
  volume().mounted = true;
  volume().mount->super_read_only = true;
  EXPECT_EQ(plan().obstacle, "read_only");
  volume().mount->super_read_only = false;
  volume().mount->fstype = "tmpfs";
  EXPECT_EQ(plan().obstacle, "memory");
}

TEST_F(ProbePlanTest, TheNodesOwnDiskIsNobodys) {
  volume().claim.reset();
  inventory.subjects[0].claim.reset();
  inventory.pods[0].annotations = probe("on");
  for (const VolumeKind kind : {VolumeKind::kEmptyDir, VolumeKind::kHostPath, VolumeKind::kSecret,
                                VolumeKind::kConfigMap, VolumeKind::kImage}) {
    volume().kind = kind;
    EXPECT_FALSE(plan().wanted) << to_string(kind);
  }
  volume().kind = VolumeKind::kCsi;  // inline
  EXPECT_TRUE(plan().wanted);
}

TEST(ProbeAnnotations, WhatMakesNoSenseIsNamed) {
  EXPECT_EQ(wrong_with_annotation("probe", "named-file"), "");
  EXPECT_NE(wrong_with_annotation("probe", "ON"), "");
  EXPECT_EQ(wrong_with_annotation("burst", "off"), "");
  EXPECT_NE(wrong_with_annotation("burst", "yes"), "");
  EXPECT_EQ(wrong_with_annotation("probe-interval", "30s"), "");
  EXPECT_NE(wrong_with_annotation("probe-interval", "500ms"), "");
  EXPECT_NE(wrong_with_annotation("probe-interval", "30"), "");
  EXPECT_NE(wrong_with_annotation("probe-interval", "25h"), "");
  std::string sum;
  for (int i = 0; i < 100; ++i) sum += "999999999d";
  EXPECT_NE(wrong_with_annotation("probe-interval", sum), "");
}

}  // namespace
}  // namespace volumeter
