#include "measure/health/expansion.h"

#include <gtest/gtest.h>

#include "support/snapshot_values.h"

namespace volumeter {
namespace {

using test::finding_of;
using test::OneClaim;
using test::value_of;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

Sizes sizes(std::uint64_t requested, std::uint64_t granted, std::uint64_t volume,
            std::optional<std::uint64_t> device = {},
            std::optional<std::uint64_t> filesystem = {}) {
  return {requested, granted, volume, device, filesystem, 0};
}

TEST(ExpansionTest, EachStageIsWhereTheBytesEnd) {
  const auto none = pending_expansion(sizes(kGiB, kGiB, kGiB));
  ASSERT_TRUE(none);
  EXPECT_EQ(none->bytes, 0U);
  const auto controller = pending_expansion(sizes(2 * kGiB, kGiB, kGiB));
  EXPECT_EQ(controller->bytes, kGiB);
  EXPECT_EQ(controller->stage, ExpansionStage::kController);
  const auto node = pending_expansion(sizes(2 * kGiB, kGiB, 2 * kGiB, kGiB, kGiB));
  EXPECT_EQ(node->bytes, kGiB);
  EXPECT_EQ(node->stage, ExpansionStage::kNode);
  const auto filesystem = pending_expansion(sizes(2 * kGiB, kGiB, 2 * kGiB, 2 * kGiB, kGiB));
  EXPECT_EQ(filesystem->bytes, kGiB);
  EXPECT_EQ(filesystem->stage, ExpansionStage::kFilesystem);
}

// A driver without a device that can be seen: the node's part, whatever it is.
TEST(ExpansionTest, AShareWaitsForItsNode) {
  EXPECT_EQ(pending_expansion(sizes(2 * kGiB, kGiB, 2 * kGiB))->stage, ExpansionStage::kNode);
}

TEST(ExpansionTest, AGrownDeviceIsSeenWithoutAnybodysWord) {
  const auto grown = pending_expansion(sizes(kGiB, kGiB, kGiB, 2 * kGiB, kGiB - (20 << 20)));
  EXPECT_EQ(grown->stage, ExpansionStage::kFilesystem);
  EXPECT_EQ(grown->bytes, kGiB + (20 << 20));
}

// mke2fs's defaults for 1, 10 and 100 GiB, and mkfs.xfs's for 300 MiB, as statfs answers on them.
TEST(ExpansionTest, WhatFilesystemsKeepForThemselvesIsNotMissing) {
  struct Made {
    std::uint64_t device, filesystem, inodes;
  };
  for (const Made& made :
       {Made{kGiB, 1020702720, 65536}, Made{10 * kGiB, 10464022528, 655360},
        Made{100 * kGiB, 105089261568, 6553600}, Made{300 << 20, 247463936, 153600}}) {
    Sizes all = sizes(made.device, made.device, made.device, made.device, made.filesystem);
    all.inodes = made.inodes;
    EXPECT_EQ(pending_expansion(all)->bytes, 0U) << made.device;
  }
}

// A volume is often larger than what was asked for; and a request can be taken back (KEP-1790).
TEST(ExpansionTest, MoreThanWasAskedForIsEnough) {
  EXPECT_EQ(pending_expansion(sizes(kGiB, 2 * kGiB, 2 * kGiB))->bytes, 0U);
}

// The PersistentVolume is asked for once an hour, the claim more often.
TEST(ExpansionTest, AClaimThatIsDoneNeedsNoPersistentVolumesWord) {
  EXPECT_EQ(pending_expansion(sizes(2 * kGiB, 2 * kGiB, kGiB))->bytes, 0U);
}

TEST(ExpansionTest, UnknownSizesAreNoVerdict) {
  EXPECT_FALSE(pending_expansion({{}, kGiB, kGiB, {}, {}, 0}));
  EXPECT_FALSE(pending_expansion({kGiB, {}, {}, kGiB, kGiB, 0}));
}

TEST(ExpansionTest, SinceWhenIsKeptUntilTheStageChanges) {
  OneClaim node;
  node.claim().requested_bytes = 2 * kGiB;
  node.claim().granted_bytes = kGiB;
  node.volume().volume_bytes = kGiB;
  ExpansionWatch watch;
  const auto since = [&](Snapshot& snapshot) {
    watch.add(snapshot);
    return value_of(snapshot.measurements, "volumeter_volume_expansion_since_timestamp_seconds");
  };
  Snapshot first = node.snapshot();
  EXPECT_EQ(since(first), 1'795'000'000);
  EXPECT_EQ(value_of(first.measurements, "volumeter_volume_expansion_stage", {"controller"}), 1);
  EXPECT_EQ(value_of(first.measurements, "volumeter_volume_expansion_pending_bytes"),
            static_cast<double>(kGiB));
  EXPECT_EQ(finding_of(first.volumes[0], FindingKind::kExpansion),
            "an expansion waits: the volume itself hasn't grown (1 GiB is missing)");
  Snapshot later = node.snapshot();
  later.taken_at += std::chrono::minutes(5);
  EXPECT_EQ(since(later), 1'795'000'000);
  node.volume().volume_bytes = 2 * kGiB;
  Snapshot next = node.snapshot();
  next.taken_at += std::chrono::minutes(6);
  EXPECT_EQ(since(next), 1'795'000'360) << "it has come to the node";
  node.claim().granted_bytes = 2 * kGiB;
  Snapshot over = node.snapshot();
  EXPECT_FALSE(since(over));
  EXPECT_EQ(value_of(over.measurements, "volumeter_volume_expansion_pending_bytes"), 0);
}

TEST(ExpansionTest, TheClaimKnowsSinceWhenBetterThanANewAgent) {
  OneClaim node;
  node.claim().requested_bytes = 2 * kGiB;
  node.claim().granted_bytes = node.volume().volume_bytes = kGiB;
  node.claim().resizing_since = std::chrono::sys_seconds(std::chrono::seconds(1'794'000'000));
  node.claim().resize_failed = true;
  Snapshot snapshot = node.snapshot();
  ExpansionWatch().add(snapshot);
  EXPECT_EQ(value_of(snapshot.measurements, "volumeter_volume_expansion_since_timestamp_seconds"),
            1'794'000'000);
  EXPECT_TRUE(finding_of(snapshot.volumes[0], FindingKind::kExpansion)
                  .ends_with("its last attempt failed"));
}

}  // namespace
}  // namespace volumeter
