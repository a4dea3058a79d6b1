#include "measure/health/claim_state.h"

#include <gtest/gtest.h>

#include "support/snapshot_values.h"

namespace volumeter {
namespace {

using test::finding_of;
using test::OneClaim;
using test::value_of;

constexpr const char* kViolated = "volumeter_volume_access_violated";
constexpr const char* kCrossed = "volumeter_volume_ordinal_mismatch";

Snapshot judged(Snapshot snapshot) {
  add_claim_state(snapshot);
  return snapshot;
}

TEST(ClaimStateTest, SeveralPodsOnAClaimOfOneWriter) {
  OneClaim node;
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, kViolated, {"single_writer"}), 0);
  node.add_pod("db-1", 0);
  const Snapshot shared = judged(node.snapshot());
  EXPECT_EQ(value_of(shared.measurements, kViolated, {"single_writer"}), 1);
  EXPECT_EQ(finding_of(shared.volumes[0], FindingKind::kSharing),
            "2 pods of this node use it (db-0, db-1), and its mode is ReadWriteOnce");
  node.claim().access_modes = {"ReadWriteOncePod"};
  const Snapshot violated = judged(node.snapshot());
  EXPECT_EQ(value_of(violated.measurements, kViolated, {"single_pod"}), 1);
  EXPECT_EQ(finding_of(violated.volumes[1], FindingKind::kAccess),
            "2 pods of this node use it (db-0, db-1), and its mode is ReadWriteOncePod");
}

// A rollout's old pod isn't a second user.
TEST(ClaimStateTest, PodsOnTheirWayOutDoNotCount) {
  OneClaim node;
  node.add_pod("db-1", 0);
  node.inventory.pods[0].deleting = true;
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, kViolated, {"single_writer"}), 0);
}

TEST(ClaimStateTest, APodThatWaitsForTheClaimDoesNotUseIt) {
  OneClaim node;
  node.claim().access_modes = {"ReadWriteOncePod"};
  node.add_pod("db-1", 0);
  node.inventory.volumes[1].mounted = false;
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, kViolated, {"single_pod"}), 0);
}

TEST(ClaimStateTest, ManyMayShareWhatIsMadeForMany) {
  OneClaim node;
  node.add_pod("db-1", 0);
  node.claim().access_modes = {"ReadWriteOnce", "ReadWriteMany"};
  EXPECT_FALSE(value_of(judged(node.snapshot()).measurements, kViolated));
}

TEST(ClaimStateTest, WhatMayOnlyBeReadIsWritten) {
  OneClaim node;
  node.claim().access_modes = {"ReadOnlyMany"};
  Snapshot snapshot = node.snapshot();
  EXPECT_FALSE(value_of(judged(snapshot).measurements, kViolated)) << "its writes aren't known";
  snapshot.activity[0].emplace().writes_per_second = 0;
  EXPECT_EQ(value_of(judged(snapshot).measurements, kViolated, {"read_only"}), 0);
  snapshot.activity[0]->writes_per_second = 20;
  const Snapshot written = judged(snapshot);
  EXPECT_EQ(value_of(written.measurements, kViolated, {"read_only"}), 1);
  EXPECT_EQ(finding_of(written.volumes[0], FindingKind::kAccess),
            "it is written, and its mode is ReadOnlyMany");
  node.volume().mount->mount_read_only = true;
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, kViolated, {"read_only"}), 0);
}

TEST(ClaimStateTest, CrossedOrdinalsShow) {
  OneClaim node;
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, kCrossed), 0);
  node.claim().name = "data-db-1";
  const Snapshot crossed = judged(node.snapshot());
  EXPECT_EQ(value_of(crossed.measurements, kCrossed), 1);
  EXPECT_EQ(
      finding_of(crossed.volumes[0], FindingKind::kIdentity),
      "claim data-db-1 is used by pod db-0: it was made for another ordinal of its StatefulSet");
  node.claim().name = "backups";  // not of a template
  EXPECT_FALSE(value_of(judged(node.snapshot()).measurements, kCrossed));
}

TEST(ClaimStateTest, TheDriversOwnWordStandsBesideOurs) {
  constexpr const char* kAbnormal = "volumeter_volume_health_status_abnormal";
  OneClaim node;
  EXPECT_FALSE(value_of(judged(node.snapshot()).measurements, kAbnormal));
  node.claim().abnormal = false;
  EXPECT_EQ(value_of(judged(node.snapshot()).measurements, kAbnormal), 0);
  node.claim().abnormal = true;
  const Snapshot snapshot = judged(node.snapshot());
  EXPECT_EQ(value_of(snapshot.measurements, kAbnormal), 1);
  EXPECT_EQ(finding_of(snapshot.volumes[0], FindingKind::kDriver),
            "its driver says that it isn't well");
}

TEST(ClaimStateTest, TheOrdinalOfAClaim) {
  EXPECT_EQ(ordinal_of_claim("data-redis-0", "redis"), 0);
  EXPECT_EQ(ordinal_of_claim("data-my-redis-12", "my-redis"), 12);
  EXPECT_FALSE(ordinal_of_claim("redis-0", "redis")) << "no template";
  EXPECT_FALSE(ordinal_of_claim("data-redis-x", "redis"));
  EXPECT_FALSE(ordinal_of_claim("data-redis-", "redis"));
  EXPECT_FALSE(ordinal_of_claim("data-other-0", "redis"));
  EXPECT_FALSE(ordinal_of_claim("data-redis-99999999999", "redis"));
  EXPECT_FALSE(ordinal_of_claim("", ""));
}

}  // namespace
}  // namespace volumeter
