#include "measure/health/orphan_watch.h"

#include <gtest/gtest.h>

#include "support/snapshot_values.h"

namespace volumeter {
namespace {

using std::chrono::minutes;
using test::OneClaim;
using test::value_of;

class OrphanWatchTest : public testing::Test {
 protected:
  OrphanWatchTest() {
    node_.inventory.targets.resize(1);
    node_.inventory.orphans.emplace();
  }
  void leave() {
    node_.inventory.orphans = {{Orphan::Kind::kPodDirectory, "/pods/u", "", 0, {}},
                               {Orphan::Kind::kStaging, "/staged", "sdb", {}, 1 << 20}};
  }
  Snapshot at(minutes when) {
    Snapshot snapshot = node_.snapshot();
    snapshot.taken_at += when;
    snapshot.trees[0].method = UsageMethod::kWalk;
    snapshot.trees[0].bytes = 4096;
    watch_.add(snapshot);
    return snapshot;
  }

  OneClaim node_;
  OrphanWatch watch_{minutes(5)};
};

TEST_F(OrphanWatchTest, WhatIsAboutToBeCleanedUpIsNotReported) {
  EXPECT_EQ(value_of(at(minutes(0)).measurements, "volumeter_orphans", {"mount"}), 0);
  leave();
  EXPECT_TRUE(at(minutes(10)).orphans.empty());
  EXPECT_TRUE(at(minutes(14)).orphans.empty());
  const Snapshot later = at(minutes(15));
  ASSERT_EQ(later.orphans.size(), 2U);
  EXPECT_EQ(value_of(later.measurements, "volumeter_orphans", {"pod_directory"}), 1);
  EXPECT_EQ(value_of(later.measurements, "volumeter_orphan_bytes", {"pod_directory"}), 4096);
  EXPECT_EQ(value_of(later.measurements, "volumeter_orphan_bytes", {"staging"}), 1 << 20);
  EXPECT_EQ(value_of(later.measurements, "volumeter_orphan_oldest_timestamp_seconds", {"staging"}),
            1'795'000'000 + 600);
  // Gone, and back again: it is young.
  node_.inventory.orphans.emplace();
  EXPECT_EQ(value_of(at(minutes(16)).measurements, "volumeter_orphans", {"staging"}), 0);
  leave();
  EXPECT_TRUE(at(minutes(17)).orphans.empty());
}

TEST_F(OrphanWatchTest, WithoutPodsThereAreNoSeriesAndNothingIsForgotten) {
  leave();
  at(minutes(0));
  node_.inventory.orphans.reset();
  EXPECT_FALSE(value_of(at(minutes(3)).measurements, "volumeter_orphans", {"staging"}));
  leave();
  EXPECT_EQ(at(minutes(5)).orphans.size(), 2U);
}

}  // namespace
}  // namespace volumeter
