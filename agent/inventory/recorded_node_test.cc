// The inventory of a real node, against one checked-in table of all its volumes.
#include "support/recorded_node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "collect/inventory_metrics.h"
#include "inventory/inventory_builder.h"
#include "kube/parse.h"

namespace volumeter {
namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string describe(const Inventory& inventory, const Volume& volume) {
  const Pod& pod = inventory.pods[volume.pod];
  std::ostringstream line;
  line << or_dash(pod.namespace_) << '/' << or_dash(pod.name) << ' ' << volume.name << ' '
       << to_string(volume.kind) << ' ' << to_string(volume.mode);
  if (volume.claim) {
    const Claim& claim = inventory.claims[*volume.claim];
    line << " claim=" << claim.name;
    for (const auto& mode : claim.access_modes) line << " mode=" << mode;
    if (claim.requested_bytes) line << " requested=" << *claim.requested_bytes;
  }
  if (volume.size_limit) line << " limit=" << *volume.size_limit;
  line << " pv=" << or_dash(volume.persistent_volume) << " sc=" << or_dash(volume.storage_class)
       << " driver=" << or_dash(volume.csi_driver) << " device=" << or_dash(volume.device);
  if (volume.device_bytes) line << " device_bytes=" << *volume.device_bytes;
  line << (volume.mounted ? " mounted" : " NOT-MOUNTED")
       << (volume.shares_filesystem ? " shares" : "");
  if (volume.mount) line << " root=" << volume.mount->root << " fs=" << volume.mount->fstype;
  line << " owner=" << or_dash(pod.owner_kind) << '/' << or_dash(pod.owner_name);
  if (pod.ordinal) line << " ordinal=" << *pod.ordinal;
  line << " at=" << or_dash(volume.path);
  return line.str();
}

std::string describe(const Inventory& inventory) {
  std::vector<std::string> lines;
  for (const Volume& volume : inventory.volumes) lines.push_back(describe(inventory, volume));
  std::sort(lines.begin(), lines.end());
  for (const Filesystem& filesystem : inventory.filesystems) {
    lines.push_back("filesystem " + filesystem.mount.source + " " + filesystem.mount.mount_point +
                    " " + filesystem.mount.fstype);
  }
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

const Volume* find(const Inventory& inventory, const std::string& pod, const std::string& name) {
  for (const Volume& volume : inventory.volumes) {
    if (inventory.pods[volume.pod].name == pod && volume.name == name) return &volume;
  }
  return nullptr;
}

// Where the volumes that have a filesystem to themselves are measured.
std::vector<std::string> exclusive(const Inventory& inventory) {
  std::vector<std::string> paths;
  for (const Volume& v : inventory.volumes) {
    if (v.target && !v.shares_filesystem) paths.push_back(v.path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class RecordedNodeTest : public testing::Test {
 protected:
  test::RecordedNode node_;
  InventoryInput input_ = node_.input();
};

TEST_F(RecordedNodeTest, EveryVolumeIsWhatItWas) {
  EXPECT_EQ(
      test::diff_golden("recorded-node/inventory.golden.txt", describe(*build_inventory(input_))),
      "");
}

TEST_F(RecordedNodeTest, WithoutApiServerNamesAreFewerAndNumbersTheSame) {
  const auto full = build_inventory(input_);
  input_.metadata = {};
  const auto poor = build_inventory(input_);
  EXPECT_EQ(test::diff_golden("recorded-node/inventory-no-api.golden.txt", describe(*poor)), "");
  // Namespace and pod still come from /var/log/pods.
  const Volume* volume = find(*poor, "local-ext4", "pv-local-ext4");
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(poor->pods[volume->pod].namespace_, "demo");
  EXPECT_EQ(exclusive(*full), exclusive(*poor)) << "what is measured is the same";
}

// Pods from the kubelet, and no API server: claims have names where a pod has one, but nobody says
// how much was asked for.
TEST_F(RecordedNodeTest, WithTheKubeletAloneMostClaimsStillHaveTheirNames) {
  const auto full = build_inventory(input_);
  input_.metadata = {};
  const PodList pods = parse_pod_list(test::read_fixture("kubelet/pods.json")).value();
  for (const PodMetadata& pod : pods.pods) input_.metadata.pods[pod.pod.uid] = pod;
  const auto poor = build_inventory(input_);
  EXPECT_EQ(test::diff_golden("recorded-node/inventory-kubelet-only.golden.txt", describe(*poor)),
            "");
  const Volume* volume = find(*poor, "local-ext4", "data");
  ASSERT_TRUE(volume != nullptr && volume->claim);
  EXPECT_EQ(poor->claims[*volume->claim].name, "local-ext4");
  EXPECT_FALSE(poor->claims[*volume->claim].requested_bytes);
  const Volume* one_of_two = find(*poor, "pg-0", "pvc-b044b222-a63f-42f1-85b6-bb034424f4c8");
  ASSERT_NE(one_of_two, nullptr) << "of two claims and two directories nobody knows which is which";
  EXPECT_FALSE(one_of_two->claim);
  EXPECT_EQ(exclusive(*full), exclusive(*poor));
}

TEST_F(RecordedNodeTest, WithNoNamesAtAllPodsAreToldApartByUid) {
  input_.metadata = {};
  input_.pod_logs.clear();
  const auto inventory = build_inventory(input_);
  EXPECT_EQ(test::diff_golden("recorded-node/inventory-no-names.golden.txt", describe(*inventory)),
            "");
  std::vector<std::vector<std::string>> labels;
  for (const Subject& subject : inventory->subjects) labels.push_back(*subject.labels);
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(std::adjacent_find(labels.begin(), labels.end()), labels.end());
}

TEST_F(RecordedNodeTest, PhantomLoopDevicesAndStagingMountsAreNoVolumes) {
  const auto inventory = build_inventory(input_);
  for (const Volume& volume : inventory->volumes) {
    // loop5, loop12 and loop15 are the kubelet's locks on its own map files.
    EXPECT_TRUE(volume.device != "loop5" && volume.device != "loop12" && volume.device != "loop15")
        << volume.name;
    EXPECT_EQ(volume.path.find("globalmount"), std::string::npos);
  }
  for (const Target& target : inventory->targets) {
    EXPECT_EQ(target.path.find("volume-subpaths"), std::string::npos) << target.path;
  }
}

TEST_F(RecordedNodeTest, OneClaimOfTwoPodsIsMeasuredOnceAndPublishedOnce) {
  const auto inventory = build_inventory(input_);
  const Volume* a = find(*inventory, "csi-shared-a", "shared");
  const Volume* b = find(*inventory, "csi-shared-b", "shared");
  ASSERT_TRUE(a != nullptr && b != nullptr && a->target && a->claim);
  EXPECT_EQ(a->target, b->target);
  EXPECT_EQ(a->claim, b->claim);
  const auto subjects =
      std::count_if(inventory->subjects.begin(), inventory->subjects.end(),
                    [&](const Subject& subject) { return subject.claim == a->claim; });
  EXPECT_EQ(subjects, 1);
}

TEST_F(RecordedNodeTest, ADeletedPodsVolumeIsNotTouchedUnlessAnotherPodUsesIt) {
  for (auto& [uid, pod] : input_.metadata.pods) {
    if (pod.pod.name == "local-ext4" || pod.pod.name == "csi-shared-a") pod.pod.deleting = true;
  }
  const auto inventory = build_inventory(input_);
  const Volume* alone = find(*inventory, "local-ext4", "data");
  ASSERT_TRUE(alone != nullptr && alone->target);
  EXPECT_TRUE(inventory->targets[*alone->target].hold);
  const Volume* shared = find(*inventory, "csi-shared-a", "shared");
  ASSERT_TRUE(shared != nullptr && shared->target);
  const Target& target = inventory->targets[*shared->target];
  EXPECT_FALSE(target.hold);
  EXPECT_EQ(target.path, find(*inventory, "csi-shared-b", "shared")->path);
}

// A pod that was force-deleted leaves its directory; another pod uses the claim now.
TEST_F(RecordedNodeTest, AnOrphanedDirectoryTakesNothingFromItsClaim) {
  const auto dir = std::find_if(
      input_.kubelet.volumes.begin(), input_.kubelet.volumes.end(),
      [](const PodVolumeDir& d) { return d.path.find("pvc-b044b222") != std::string::npos; });
  ASSERT_NE(dir, input_.kubelet.volumes.end());
  PodVolumeDir orphan = *dir;
  orphan.pod_uid = "00000000-orphan";  // sorts first
  orphan.path = "/var/lib/kubelet/pods/00000000-orphan/volumes/kubernetes.io~csi/x/mount";
  input_.kubelet.pod_uids.push_back(orphan.pod_uid);
  input_.kubelet.volumes.push_back(orphan);
  const auto inventory = build_inventory(input_);
  const auto claim = std::find_if(inventory->claims.begin(), inventory->claims.end(),
                                  [](const Claim& c) { return c.name == "data-pg-0"; });
  ASSERT_NE(claim, inventory->claims.end());
  EXPECT_EQ(claim->requested_bytes, 40U << 20U);
  MeasurementSet metrics;
  add_inventory_metrics(*inventory, metrics);
  for (const Family& family : metrics.families()) {
    if (family.desc->name != "volumeter_volume_mounted") continue;
    for (const Series& series : family.series) {
      if (series.labels->at(1) == "data-pg-0") {
        EXPECT_EQ(series.value, 1);
      }
    }
  }
}

TEST_F(RecordedNodeTest, ADirectoryWithoutItsMountIsNotMounted) {
  std::erase_if(input_.mounts, [](const MountEntry& mount) {
    return mount.mount_point.find("pv-local-xfs") != std::string::npos;
  });
  const auto inventory = build_inventory(input_);
  const Volume* volume = find(*inventory, "local-xfs", "data");
  ASSERT_NE(volume, nullptr);
  EXPECT_FALSE(volume->mounted);
  EXPECT_FALSE(volume->target);
}

}  // namespace
}  // namespace volumeter
