#include "collect/workload_fit.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace volumeter {
namespace {

using namespace std::chrono_literals;

class WorkloadFitTest : public testing::Test {
 protected:
  WorkloadFitTest() {
    inventory_.pods.resize(1);
    inventory_.claims.push_back({"shop", "db", {}, {}, {{"volumeter.io/workload", "etcd"}}});
    Volume volume;
    volume.claim = 0;
    inventory_.volumes.push_back(volume);
    inventory_.subjects.push_back({0, {0}, make_labels({"shop", "db"}), false, {}});
  }
  // So many syncs that took up to `bound` seconds, in all so far.
  void count(double bound, std::uint64_t syncs) {
    const auto bucket = std::lower_bound(kIoBounds.begin(), kIoBounds.end(), bound);
    counts_[static_cast<std::size_t>(bucket - kIoBounds.begin())] += syncs;
  }
  void record(std::chrono::seconds at) {
    std::vector<IoTotals> totals(1);
    totals[0].syncs = counts_;
    fit_.record(inventory_, totals, WorkloadFit::Clock::time_point{} + at);
  }
  std::optional<double> verdict() const {
    MeasurementSet out;
    fit_.report(inventory_, out);
    if (out.families().empty()) return std::nullopt;
    return out.families()[0].series[0].value;
  }

  Inventory inventory_;
  IoTotals::Buckets counts_ = IoTotals::Buckets(kIoBounds.size() + 1);
  WorkloadFit fit_;
};

TEST_F(WorkloadFitTest, IsSaidOnlyWithEnoughSamples) {
  EXPECT_EQ(verdict(), std::nullopt);
  record(0s);
  count(0.001, 499);
  record(15s);
  EXPECT_EQ(verdict(), std::nullopt);
  count(0.01, 1);
  record(30s);
  EXPECT_EQ(verdict(), 1);
}

TEST_F(WorkloadFitTest, OneInAHundredMayBeSlower) {
  record(0s);
  count(0.001, 990);
  count(0.025, 10);
  record(60s);
  EXPECT_EQ(verdict(), 1);
  count(0.5, 1);
  record(120s);
  EXPECT_EQ(verdict(), 0);
}

TEST_F(WorkloadFitTest, WhatIsOlderThanAnHourIsForgotten) {
  record(0s);
  count(10, 1000);
  record(60s);
  EXPECT_EQ(verdict(), 0);
  for (int minute = 2; minute < 62; ++minute) {
    count(0.001, 100);
    record(minute * 60s);
  }
  EXPECT_EQ(verdict(), 1);
}

TEST_F(WorkloadFitTest, OtherWorkloadsAskForOtherThings) {
  inventory_.claims[0].annotations["volumeter.io/workload"] = "redis";
  record(0s);
  count(0.5, 30);
  record(60s);
  EXPECT_EQ(verdict(), 1);
  count(10, 1);
  record(120s);
  EXPECT_EQ(verdict(), 0);
  inventory_.claims[0].annotations["volumeter.io/workload"] = "oracle";
  EXPECT_EQ(verdict(), std::nullopt);
  EXPECT_NE(wrong_with_workload("oracle").find("etcd, postgresql, redis"), std::string::npos);
}

TEST_F(WorkloadFitTest, AnewMeansAnew) {
  record(0s);
  count(10, 1000);
  record(60s);
  counts_.assign(counts_.size(), 0);
  record(120s);
  EXPECT_EQ(verdict(), std::nullopt);
}

TEST(Workloads, ThresholdsAreBoundsOfTheHistograms) {
  for (const WorkloadRule& rule : workload_rules()) {
    EXPECT_NE(std::find(kIoBounds.begin(), kIoBounds.end(), rule.limit), kIoBounds.end())
        << rule.workload;
  }
}

TEST(Workloads, NotFitIsSaidAsSoonAsItIsCertain) {
  const WorkloadRule& etcd = *first_rule("etcd");
  EXPECT_EQ(judge(etcd, 10, 6), Fit::kNotFit);
  EXPECT_EQ(judge(etcd, 10, 5), Fit::kInsufficientData);
  EXPECT_EQ(judge(etcd, 500, 5), Fit::kFit);
}

}  // namespace
}  // namespace volumeter
