#include "measure/health/mount_state.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "support/snapshot_values.h"

namespace volumeter {
namespace {

using test::finding_of;
using test::OneClaim;
using test::value_of;

constexpr const char* kMounted = "volumeter_volume_mounted";
constexpr const char* kReadOnly = "volumeter_volume_read_only";
constexpr const char* kBytes = "volumeter_volume_unmounted_bytes";

Snapshot judged(Snapshot snapshot) {
  add_mount_state(snapshot);
  return snapshot;
}

class BareTest : public testing::Test {
 protected:
  BareTest() {
    node_.volume().mounted = false;
    node_.volume().mount.reset();
    node_.volume().bare_directory = 0;
    node_.inventory.targets.resize(1);
  }

  Snapshot walked(std::uint64_t bytes, std::uint64_t inodes) {
    Snapshot snapshot = node_.snapshot();
    snapshot.trees[0].method = UsageMethod::kWalk;
    snapshot.trees[0].bytes = bytes;
    snapshot.trees[0].inodes = inodes;
    return judged(std::move(snapshot));
  }

  OneClaim node_;
};

TEST_F(BareTest, ABareDirectoryIsNotAVolume) {
  const Snapshot snapshot = judged(node_.snapshot());
  EXPECT_EQ(value_of(snapshot.measurements, kMounted), 0);
  EXPECT_FALSE(value_of(snapshot.measurements, kBytes)) << "nobody has looked yet";
  EXPECT_EQ(finding_of(snapshot.volumes[0], FindingKind::kNotMounted),
            "nothing is mounted there: what is written lands on the node's disk");
}

TEST_F(BareTest, WhatWasWrittenThereIsCounted) {
  EXPECT_EQ(value_of(walked(4096, 1).measurements, kBytes), 0) << "the directory itself";
  const Snapshot written = walked(12288, 3);
  EXPECT_EQ(value_of(written.measurements, kBytes), 12288);
  EXPECT_TRUE(finding_of(written.volumes[0], FindingKind::kNotMounted).ends_with("; 12 KiB has"));
}

TEST_F(BareTest, APodThatStartsOrEndsIsNoReason) {
  node_.volume().mount_awaited = true;
  const Snapshot starting = judged(node_.snapshot());
  EXPECT_FALSE(value_of(starting.measurements, kMounted));
  EXPECT_EQ(finding_of(starting.volumes[0], FindingKind::kNotMounted), "");
  node_.volume().mount_awaited = false;
  node_.inventory.pods[0].deleting = true;
  const Snapshot ending = judged(node_.snapshot());
  EXPECT_FALSE(value_of(ending.measurements, kMounted));
  EXPECT_EQ(finding_of(ending.volumes[0], FindingKind::kNotMounted), "");
}

// A pod of the same claim that is starting doesn't hide the one that runs on nothing.
TEST_F(BareTest, OneThatStartsDoesNotHideOneThatRuns) {
  node_.add_pod("db-1", 0);
  node_.inventory.volumes[1].mounted = false;
  node_.inventory.volumes[1].mount.reset();
  node_.inventory.volumes[1].mount_awaited = true;
  EXPECT_EQ(value_of(judged(node_.snapshot()).measurements, kMounted), 0);
}

// What a dead pod has left is an orphan, not a volume without its mount.
TEST_F(BareTest, APodThatIsGoneHasNoVolume) {
  node_.inventory.pods[0].known = false;
  EXPECT_EQ(value_of(judged(node_.snapshot()).measurements, kMounted), 0) << "pods aren't listed";
  node_.inventory.orphans.emplace();
  const Snapshot snapshot = judged(node_.snapshot());
  EXPECT_FALSE(value_of(snapshot.measurements, kMounted));
  EXPECT_EQ(finding_of(snapshot.volumes[0], FindingKind::kNotMounted), "");
}

TEST(MountStateTest, AReadersWishIsNotTheWritersFault) {
  OneClaim node;
  node.add_pod("db-1", 0);
  node.inventory.volumes[1].wants_read_only = true;
  node.inventory.volumes[1].mount->mount_read_only = true;
  const Snapshot snapshot = judged(node.snapshot());
  EXPECT_EQ(value_of(snapshot.measurements, kReadOnly, {"claim"}), 0) << "one wants to write";
  EXPECT_EQ(value_of(snapshot.measurements, kReadOnly, {"mount"}), 0);
  for (const Reading& reading : snapshot.volumes) {
    EXPECT_EQ(finding_of(reading, FindingKind::kReadOnly), "");
  }
}

// Container-optimised systems have a read-only root, which hostPaths show.
TEST(MountStateTest, TheHostsOwnReadOnlyMountsAreNoFinding) {
  OneClaim node;
  node.volume().kind = VolumeKind::kHostPath;
  node.volume().claim.reset();
  node.volume().mount->super_read_only = true;
  EXPECT_EQ(finding_of(judged(node.snapshot()).volumes[0], FindingKind::kReadOnly), "");
  node.volume().mount->emergency_read_only = true;
  EXPECT_NE(finding_of(judged(node.snapshot()).volumes[0], FindingKind::kReadOnly), "");
}

TEST(MountStateTest, BrokenPromisesAreCountedAndTold) {
  OneClaim node;
  EXPECT_FALSE(value_of(judged(node.snapshot()).measurements, "volumeter_volume_mount_mismatches"));
  node.volume().promises = {2, {}};
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, "volumeter_volume_mount_mismatches"), 0);
  node.volume().promises.broken = {"/dev/sdb is mounted, and /dev/sdc is staged for it"};
  const Snapshot wrong = judged(node.snapshot());
  EXPECT_EQ(value_of(wrong.measurements, "volumeter_volume_mount_mismatches"), 1);
  EXPECT_EQ(finding_of(wrong.volumes[0], FindingKind::kWrongMount),
            "/dev/sdb is mounted, and /dev/sdc is staged for it");
}

TEST(MountStateTest, ReadOnlyByWishIsNoFinding) {
  OneClaim node;
  node.volume().wants_read_only = true;
  node.volume().mount->mount_read_only = true;
  const Snapshot wished = judged(node.snapshot());
  EXPECT_EQ(value_of(wished.measurements, kReadOnly, {"claim"}), 1);
  EXPECT_EQ(value_of(wished.measurements, kReadOnly, {"mount"}), 1);
  EXPECT_EQ(finding_of(wished.volumes[0], FindingKind::kReadOnly), "");
  node.volume().wants_read_only = false;
  const Snapshot unwished = judged(node.snapshot());
  EXPECT_EQ(value_of(unwished.measurements, kReadOnly, {"claim"}), 0);
  EXPECT_NE(finding_of(unwished.volumes[0], FindingKind::kReadOnly), "");
}

TEST(MountStateTest, EachCauseAfterAnErrorIsToldApart) {
  OneClaim node;
  const auto causes = [&] {
    const Snapshot snapshot = judged(node.snapshot());
    std::string set;
    for (const char* cause : {"claim", "mount", "superblock", "emergency", "shutdown"}) {
      if (value_of(snapshot.measurements, kReadOnly, {cause}) == 1) set += std::string(cause) + " ";
    }
    return set + (finding_of(snapshot.volumes[0], FindingKind::kReadOnly).empty() ? "" : "found");
  };
  EXPECT_EQ(causes(), "");
  node.volume().mount->super_read_only = true;
  EXPECT_EQ(causes(), "superblock found");
  node.volume().mount->super_read_only = false;
  node.volume().mount->emergency_read_only = true;
  EXPECT_EQ(causes(), "emergency found");
  node.volume().wants_read_only = true;  // an error is an error even where nobody would write
  EXPECT_EQ(causes(), "claim emergency found");
  node.volume().wants_read_only = false;
  node.volume().mount->emergency_read_only = false;
  node.volume().mount->shut_down = true;
  EXPECT_EQ(causes(), "shutdown found");
}

// As on kernels whose mount table keeps saying "rw".
TEST(MountStateTest, TheKernelsLogSaysThatNobodyMayWrite) {
  OneClaim node;
  node.volume().device = "sdb";
  Snapshot snapshot = node.snapshot();
  add_mount_state(snapshot, {"sdb"});
  EXPECT_EQ(value_of(snapshot.measurements, kReadOnly, {"emergency"}), 1);
  EXPECT_NE(finding_of(snapshot.volumes[0], FindingKind::kReadOnly), "");
  Snapshot other = node.snapshot();
  add_mount_state(other, {"sdc"});
  EXPECT_EQ(value_of(other.measurements, kReadOnly, {"emergency"}), 0);
}

// On xfs the mount table doesn't show it, and nothing but a shutdown makes stat fail.
TEST(MountStateTest, AnXfsThatFailsStatHasShutDown) {
  OneClaim node;
  node.inventory.targets.resize(1);
  node.volume().target = 0;
  const auto shutdown = [&](bool responsive, int error) {
    Snapshot snapshot = node.snapshot();
    if (responsive) snapshot.volumes[0].responsive = true;
    snapshot.volumes[0].error = error;
    return value_of(judged(snapshot).measurements, kReadOnly, {"shutdown"});
  };
  EXPECT_FALSE(shutdown(true, EIO)) << "ext4";
  node.volume().mount->fstype = "xfs";
  EXPECT_FALSE(shutdown(false, 0)) << "nobody has looked yet";
  EXPECT_EQ(shutdown(true, 0), 0);
  EXPECT_EQ(shutdown(true, EIO), 1);
  node.inventory.targets[0].below = "volumes/x";
  EXPECT_FALSE(shutdown(true, EIO)) << "a directory on the way may be bad";
}

}  // namespace
}  // namespace volumeter
