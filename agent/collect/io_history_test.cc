#include "collect/io_history.h"

#include <gtest/gtest.h>

#include "volumeter/io_activity.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
const std::vector<double> kBounds = {1, 2, 4};

TEST(Quantile, IsFoundAsPrometheusDoes) {
  EXPECT_EQ(quantile(0.5, {10, 0, 0, 0}, kBounds), 0.5);
  EXPECT_EQ(quantile(0.5, {0, 0, 10, 0}, kBounds), 3);
  EXPECT_EQ(quantile(0.99, {50, 50, 0, 0}, kBounds), 1.98);
  EXPECT_EQ(quantile(0.5, {0, 0, 0, 3}, kBounds), 4) << "above the last bound: that bound";
  EXPECT_FALSE(quantile(0.5, {0, 0, 0, 0}, kBounds)) << "nothing happened";
  EXPECT_FALSE(quantile(0.5, {1, 2}, kBounds)) << "not these bounds'";
}

IoTotals totals(std::uint64_t reads) {
  IoTotals totals;
  totals.counters = {reads, 2 * reads, 4096 * reads, 8192 * reads};
  totals.latency = {IoTotals::Buckets{reads, 0, 0, 0}, IoTotals::Buckets{0, 2 * reads, 0, 0}};
  return totals;
}

TEST(Activity, IsWhatCameBetween) {
  const auto activity = activity_between(totals(100), totals(160), 30, kBounds);
  ASSERT_TRUE(activity);
  EXPECT_EQ(activity->reads_per_second, 2);
  EXPECT_EQ(activity->writes_per_second, 4);
  EXPECT_EQ(activity->read_bytes_per_second, 8192);
  EXPECT_EQ(activity->read_p50, 0.5);
  EXPECT_EQ(activity->write_p50, 1.5);
}

TEST(Activity, IsUnknownWhenSomethingBeganAnew) {
  EXPECT_FALSE(activity_between(totals(100), totals(60), 30, kBounds));
  EXPECT_FALSE(activity_between(totals(1), totals(2), 0, kBounds));
}

TEST(Activity, WithoutLatencyTheRatesRemain) {
  IoTotals before = totals(1);
  before.latency.reset();
  const auto activity = activity_between(before, totals(31), 30, kBounds);
  ASSERT_TRUE(activity);
  EXPECT_EQ(activity->reads_per_second, 1);
  EXPECT_FALSE(activity->read_p50);
}

TEST(Activity, SyncsHaveTheCauseThatDominated) {
  IoTotals before = totals(1);
  before.syncs = IoTotals::Buckets{0, 5, 0, 0};
  before.wait = {100, 2, 3};  // long ago the device was slow
  IoTotals after = totals(31);
  after.syncs = IoTotals::Buckets{10, 5, 0, 0};
  after.wait = {101, 2.5, 6};
  auto activity = activity_between(before, after, 30, kBounds);
  ASSERT_TRUE(activity);
  EXPECT_EQ(activity->sync_p50, 0.5);
  EXPECT_EQ(activity->wait_cause, WaitCause::kAbove);
  after.wait = {101, 12.5, 6};
  EXPECT_EQ(activity_between(before, after, 30, kBounds)->wait_cause, WaitCause::kQueue);
  after.wait = {111, 2.5, 6};
  EXPECT_EQ(activity_between(before, after, 30, kBounds)->wait_cause, WaitCause::kDevice);
  after.wait = before.wait;
  EXPECT_FALSE(activity_between(before, after, 30, kBounds)->wait_cause) << "nobody waited";
  before.wait.reset();
  activity = activity_between(before, after, 30, kBounds);
  EXPECT_FALSE(activity->wait_cause);
  EXPECT_TRUE(activity->sync_p50);
}

// A measurer whose counts are given to it.
class Given final : public LiveMeasurer {
 public:
  [[nodiscard]] std::string_view name() const override { return "given"; }
  [[nodiscard]] std::vector<const MetricDesc*> families() const override { return {}; }
  Status measure(const Inventory& /*inventory*/, MeasurementSet& /*out*/) override {
    return Done{};
  }
  void add_io_totals(const Inventory& /*inventory*/, std::vector<IoTotals>& totals) override {
    for (IoTotals& one : totals) {
      one.counters = {reads, 0, 0, 0};
      if (!timed) continue;
      const IoTotals::Buckets none(kIoBounds.size() + 1);
      one.latency = {none, none};
      (*one.latency)[0][0] = reads;
      if (!syncs_timed) continue;
      one.syncs = none;
      (*one.syncs)[3] = reads;
    }
  }
  std::uint64_t reads = 0;
  bool timed = false;
  bool syncs_timed = false;
};

class IoHistoryTest : public testing::Test {
 protected:
  IoHistoryTest() {
    measurers_.push_back(std::make_unique<Given>());
    inventory_.subjects.emplace_back().labels = make_labels({"ns", "claim"});
  }
  Given& given() { return static_cast<Given&>(*measurers_[0]); }
  void record(std::chrono::milliseconds at) {
    history_.record(inventory_, io_totals(inventory_, measurers_, {}),
                    IoHistory::Clock::time_point{} + at);
  }
  std::optional<IoActivity> activity() { return history_.activity(inventory_)[0]; }

  Measurers measurers_;
  Inventory inventory_;
  IoHistory history_;
};

TEST_F(IoHistoryTest, IsAboutTheLastMinute) {
  for (int second = 0; second <= 300; second += 15) {
    // A burst, long ago; then ten a second.
    given().reads = second < 200 ? static_cast<std::uint64_t>(second) * 1000
                                 : 200'000 + static_cast<std::uint64_t>(second - 200) * 10;
    record(std::chrono::seconds(second));
    if (second == 0) {
      EXPECT_FALSE(activity()) << "one look tells no rate";
    }
  }
  ASSERT_TRUE(activity());
  EXPECT_EQ(activity()->seconds, 60);
  EXPECT_EQ(activity()->reads_per_second, 10);
  Inventory other;
  other.subjects.emplace_back().labels = make_labels({"ns", "new"});
  EXPECT_FALSE(history_.activity(other)[0]);
}

// As when BPF programs are attached some time after the start.
TEST_F(IoHistoryTest, WhatIsMeasuredLaterIsNotHeldBackByWhatCameBefore) {
  for (int second = 0; second <= 30; second += 10) {
    given().timed = second >= 10;
    given().reads += 100;
    record(std::chrono::seconds(second));
  }
  ASSERT_TRUE(activity());
  EXPECT_EQ(activity()->seconds, 20);
  EXPECT_TRUE(activity()->read_p50);
}

TEST_F(IoHistoryTest, SyncsThatAreTimedLastCutNothingElseShort) {
  given().timed = true;
  for (int second = 0; second <= 30; second += 10) {
    given().syncs_timed = second >= 20;
    given().reads += 100;
    record(std::chrono::seconds(second));
  }
  ASSERT_TRUE(activity());
  EXPECT_EQ(activity()->seconds, 30);
  EXPECT_EQ(activity()->reads_per_second, 10);
  EXPECT_TRUE(activity()->sync_p50);
}

TEST_F(IoHistoryTest, AShortIntervalKeepsItSmallAndFresh) {
  for (int step = 0; step <= 400; ++step) {
    given().reads += 5;
    record(step * 500ms);
  }
  ASSERT_TRUE(activity());
  EXPECT_NEAR(activity()->seconds, 60, 6);
  EXPECT_EQ(activity()->reads_per_second, 10);
}

}  // namespace
}  // namespace volumeter
