// Whom the escalation policy tells: by the configuration, as Alertmanager itself reads it.
#include <gtest/gtest.h>

#include "support/alertmanager.h"

namespace volumeter::test {
namespace {

const std::string kFile = SOURCE_DIR "/alerts/alertmanager.yaml";

class RoutesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = why_no_alertmanager()) GTEST_SKIP() << *why;
  }
  // "receiver,receiver" in the order in which they are told.
  static std::string receivers(const std::vector<std::string>& labels) {
    std::vector<std::string> command = {
        "sh",     "-c",   R"(amtool "$@" 2>/dev/null)", "amtool", "config",
        "routes", "test", "--config.file=" + kFile};
    command.insert(command.end(), labels.begin(), labels.end());
    Output output = run(command);
    while (output.text.ends_with('\n')) output.text.pop_back();
    return output.text;
  }
};

TEST_F(RoutesTest, AlertmanagerTakesTheFile) {
  const Output output = run({"amtool", "check-config", kFile});
  EXPECT_EQ(output.code, 0) << output.text;
}

TEST_F(RoutesTest, CriticalGoesToThePagerAndTheChatAndIsEscalated) {
  EXPECT_EQ(receivers({"alertname=VolumeterVolumeUnresponsive", "severity=critical", "page=true"}),
            "pager,escalation,chat");
  EXPECT_EQ(receivers({"alertname=Another", "severity=critical"}), "pager,escalation,chat");
}

TEST_F(RoutesTest, CriticalWithoutHasteWakesNobody) {
  EXPECT_EQ(
      receivers({"alertname=VolumeterVolumeUsageCritical", "severity=critical", "page=false"}),
      "chat");
}

TEST_F(RoutesTest, WarningsGoToTheChat) {
  EXPECT_EQ(receivers({"alertname=VolumeterVolumeUsageHigh", "severity=warning"}), "chat");
}

TEST_F(RoutesTest, WhatNobodyThoughtOfGoesToTheChat) {
  EXPECT_EQ(receivers({"alertname=Watchdog", "severity=none"}), "chat");
}

}  // namespace
}  // namespace volumeter::test
