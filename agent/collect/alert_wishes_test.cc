#include "collect/alert_wishes.h"

#include <gtest/gtest.h>

#include <map>

namespace volumeter {
namespace {

class AlertWishesTest : public testing::Test {
 protected:
  AlertWishesTest() {
    inventory_.pods.resize(1);
    inventory_.pods[0].namespace_ = "shop";
    inventory_.claims.push_back({"shop", "db", {}, {}, {}});
    Volume volume;
    volume.claim = 0;
    volume.storage_class = "fast";
    inventory_.volumes.push_back(volume);
    inventory_.subjects.push_back({0, {0}, make_labels({"shop", "db"}), false, {}});
  }
  // By the metric's name and its last label.
  std::map<std::string, double> reported() const {
    MeasurementSet out;
    report_alert_wishes(inventory_, out);
    std::map<std::string, double> all;
    for (const Family& family : out.families()) {
      for (const Series& one : family.series) {
        all[family.desc->name + " " + one.labels->back()] = one.value;
      }
    }
    return all;
  }
  using Reported = std::map<std::string, double>;

  Inventory inventory_;
};

TEST_F(AlertWishesTest, WhoWishesNothingHasNoSeries) {
  EXPECT_EQ(reported(), Reported());
  inventory_.claims[0].annotations = {{"volumeter.io/alerts", "on"}};
  EXPECT_EQ(reported(), Reported());
}

TEST_F(AlertWishesTest, AreReportedInBaseUnits) {
  inventory_.claims[0].annotations = {{"volumeter.io/usage-warning", "85%"},
                                      {"volumeter.io/usage-critical", "0.95"},
                                      {"volumeter.io/sync-p99", "50ms"},
                                      {"volumeter.io/alerts", "off"}};
  EXPECT_EQ(reported(), (Reported{{"volumeter_volume_alerts_excluded db", 1},
                                  {"volumeter_volume_usage_threshold_ratio warning", 0.85},
                                  {"volumeter_volume_usage_threshold_ratio critical", 0.95},
                                  {"volumeter_volume_sync_latency_threshold_seconds db", 0.05}}));
}

TEST_F(AlertWishesTest, TheClaimsOwnComesBeforeItsNamespacesAndItsClasss) {
  inventory_.storage_class_annotations["fast"] = {{"volumeter.io/usage-warning", "70%"}};
  EXPECT_EQ(reported().at("volumeter_volume_usage_threshold_ratio warning"), 0.7);
  inventory_.namespace_annotations["shop"] = {{"volumeter.io/usage-warning", "75%"}};
  EXPECT_EQ(reported().at("volumeter_volume_usage_threshold_ratio warning"), 0.75);
  inventory_.claims[0].annotations = {{"volumeter.io/usage-warning", "100%"}};
  EXPECT_EQ(reported().at("volumeter_volume_usage_threshold_ratio warning"), 1);
}

TEST_F(AlertWishesTest, WhatMakesNoSenseIsNotReported) {
  inventory_.claims[0].annotations = {{"volumeter.io/usage-warning", "85"},
                                      {"volumeter.io/usage-critical", "-5%"},
                                      {"volumeter.io/sync-p99", "soon"},
                                      {"volumeter.io/alerts", "never"}};
  EXPECT_EQ(reported(), Reported());
}

TEST(AlertWishes, WrongOnesSayWhatIsAllowed) {
  for (const std::string value :
       {"", "%", "85", "0", "0%", "101%", "1.01", "nan", "85 %", "8e1000%"}) {
    EXPECT_NE(wrong_with_alert_wish("usage-warning", value).find("\"85%\""), std::string::npos)
        << value;
  }
  EXPECT_EQ(wrong_with_alert_wish("alerts", "no"), R"(must be "on" or "off")");
  EXPECT_NE(wrong_with_alert_wish("sync-p99", "0s"), "");
  EXPECT_NE(wrong_with_alert_wish("sync-p99", "fast"), "");
}

}  // namespace
}  // namespace volumeter
