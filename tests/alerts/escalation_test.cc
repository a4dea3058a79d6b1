// From a fault on a real filesystem to the message that somebody gets, and to the one that it is
// over: an agent, Prometheus and Alertmanager with this repository's files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "alerts/answers.h"
#include "alerts/notifications.h"
#include "support/agent.h"
#include "support/alertmanager.h"
#include "support/node.h"
#include "support/prometheus.h"
#include "support/temp_directory.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = 4min;

class EscalationTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = why_no_mounts()) GTEST_SKIP() << *why;
    if (const auto why = why_no_prometheus()) GTEST_SKIP() << *why;
    if (const auto why = why_no_alertmanager()) GTEST_SKIP() << *why;
    if (fs::exists("/var/lib/kubelet/pods")) GTEST_SKIP() << "this machine has a kubelet";
    start_node();
    alertmanager_ =
        std::make_unique<Alertmanager>(rewired_alertmanager(webhook_, directory_.path()));
    Prometheus::Options options;
    options.interval = "15s";
    // As operators set them. An instance named by its node stays in a rollout.
    options.labels = {{"cluster", "test"}, {"node", "demo-node"}, {"instance", "demo-node"}};
    options.rules = rule_files();
    options.alertmanager = alertmanager_->address();
    prometheus_ = std::make_unique<Prometheus>(
        std::vector<std::string>{"127.0.0.1:" + std::to_string(port_)}, options);
  }
  void TearDown() override {
    if (node_ == nullptr) return;
    node_->signal(SIGTERM);
    EXPECT_TRUE(node_->wait(30s)) << "it ends, and takes everything with it";
  }
  void start_node() {
    ::setenv("VOLUMETER_DEMO_SOCKET", (directory_.path() + "/socket").c_str(), 1);
    ::setenv("VOLUMETER_DEMO_LISTEN", "127.0.0.1:0", 1);
    node_ = std::make_unique<Process>(std::vector<std::string>{DEMO_NODE_PATH});
    constexpr std::string_view kAddress = "http://127.0.0.1:";
    for (std::string line = node_->read_line(); port_ == 0; line = node_->read_line()) {
      if (const auto at = line.find(kAddress); at != std::string::npos) {
        port_ = std::stoi(line.substr(at + kAddress.size()));
      }
    }
  }
  static void fault(const std::vector<std::string>& words) {
    std::vector<std::string> command = {DEMO_NODE_PATH, "fault"};
    command.insert(command.end(), words.begin(), words.end());
    const Output output = run(command);
    EXPECT_EQ(output.code, 0) << output.text;
  }

  // The messages to `to` that name the alert and the claim, if any.
  [[nodiscard]] std::vector<Notification> told(const std::string& to, const std::string& alert,
                                               const std::string& text, bool firing) const {
    std::vector<Notification> all = read_notifications(webhook_);
    std::erase_if(all, [&](const Notification& one) {
      return one.to != to || one.firing != firing || one.text.find(alert) == std::string::npos ||
             one.text.find(text) == std::string::npos;
    });
    return all;
  }
  [[nodiscard]] bool hears(const std::string& to, const std::string& alert, const std::string& text,
                           bool firing = true) const {
    return eventually([&] { return !told(to, alert, text, firing).empty(); }, kPatience);
  }
  // All that was said, for whoever has to find out why a test failed.
  [[nodiscard]] std::string everything() const {
    std::string out;
    for (const Notification& one : read_notifications(webhook_)) {
      out += one.to + (one.firing ? " firing " : " over ") + one.text + "\n";
    }
    return out;
  }
  // How many messages there were about the faults that were made: what else happens on a machine
  // is its own business.
  [[nodiscard]] std::size_t of_these_faults() const {
    std::size_t count = 0;
    for (const std::string alert :
         {"VolumeterVolumeReadOnly", "VolumeterVolumeNotMounted", "VolumeterVolumeSyncSlow",
          "VolumeterVolumeUnresponsive", "VolumeterVolumeUsageHigh"}) {
      for (const std::string to : {"chat", "pager"}) {
        count += told(to, alert, "", true).size() + told(to, alert, "", false).size();
      }
    }
    return count;
  }
  // Since the last call of begin(), until the first message.
  void took(const std::string& to, const std::string& alert, const std::string& text) {
    EXPECT_TRUE(hears(to, alert, text)) << alert << " " << text << " of:\n" << everything();
    const auto all = told(to, alert, text, true);
    if (!all.empty()) seconds_[alert] = std::chrono::duration<double>(all[0].when - begun_).count();
  }
  void begin() { begun_ = Clock::now(); }

  // Without those of pulses, which an agent makes where it has seen no syncs yet.
  [[nodiscard]] std::set<std::string> claims_series() const {
    std::set<std::string> all;
    for (const auto& one :
         prometheus_->query(R"({__name__=~"volumeter_[a-oq-z].*",persistentvolumeclaim!=""})")) {
      std::string labels;
      for (const auto& [name, value] : one.labels) labels.append(name + "=" + value + " ");
      all.insert(labels);
    }
    return all;
  }
  [[nodiscard]] double number(const std::string& query) const {
    const auto samples = prometheus_->query(query);
    return samples.empty() ? -1 : samples[0].value;
  }

  TempDirectory directory_;
  Webhook webhook_;
  std::unique_ptr<Process> node_;
  std::unique_ptr<Alertmanager> alertmanager_;
  std::unique_ptr<Prometheus> prometheus_;
  int port_ = 0;
  Clock::time_point begun_;
  std::map<std::string, double> seconds_;
};

TEST_F(EscalationTest, FaultsReachTheRightPeopleOnceAndEnd) {
  begin();
  const std::string archive = "shop/archive";
  EXPECT_TRUE(hears("pager", "VolumeterVolumeUnresponsive", archive)) << everything();
  EXPECT_TRUE(hears("chat", "VolumeterVolumeUsageHigh", "shop/data-orders-1 is 8")) << everything();
  EXPECT_TRUE(hears("pager", "VolumeterVolumeUsageCritical", "shop/data-orders-2 is 9"));

  begin();
  fault({"full", "data-orders-4", "85"});
  fault({"hang", "data-orders-0"});
  fault({"slow", "data-orders-3"});
  fault({"read-only", "data-orders-2"});
  fault({"unmount", "data-orders-5"});
  took("chat", "VolumeterVolumeUsageHigh", "shop/data-orders-4 is 8");
  took("pager", "VolumeterVolumeUnresponsive", "shop/data-orders-0");
  took("chat", "VolumeterVolumeSyncSlow", "shop/data-orders-3");
  took("pager", "VolumeterVolumeReadOnly", "shop/data-orders-2");
  took("pager", "VolumeterVolumeNotMounted", "shop/data-orders-5");
  for (const std::string alert :
       {"VolumeterVolumeUnresponsive", "VolumeterVolumeReadOnly", "VolumeterVolumeNotMounted"}) {
    EXPECT_TRUE(hears("chat", alert, "shop/data-orders")) << alert << " is in the chat, too";
  }
  EXPECT_TRUE(hears("chat", "VolumeterVolumeNotMounted", "orders-5 on demo-node"))
      << "the pod and its node are named: " << everything();
  EXPECT_TRUE(hears("chat", "VolumeterVolumeNotMounted", "kiB so far")) << everything();
  expect_rules_answer(*prometheus_);

  const std::set<std::string> series = claims_series();
  const std::size_t messages = of_these_faults();
  fault({"rollout"});
  EXPECT_TRUE(
      eventually([&] { return number("changes(process_start_time_seconds[5m])") >= 1; }, 60s));
  std::this_thread::sleep_for(60s);
  for (const std::string& one : claims_series()) {
    EXPECT_TRUE(series.contains(one)) << "new after a rollout: " << one;
  }
  EXPECT_EQ(of_these_faults(), messages) << "it resolves and repeats nothing:\n" << everything();

  begin();
  fault({"full", "data-orders-4", "95"});
  took("pager", "VolumeterVolumeUsageCritical", "shop/data-orders-4 is 9");

  fault({"heal"});
  for (const auto& [alert, claim] : {std::pair("VolumeterVolumeReadOnly", "shop/data-orders-2"),
                                     {"VolumeterVolumeNotMounted", "shop/data-orders-5"},
                                     {"VolumeterVolumeSyncSlow", "shop/data-orders-3"}}) {
    EXPECT_TRUE(eventually([&] { return !told("chat", alert, claim, false).empty(); }, 8min))
        << alert << " does not end:\n"
        << everything();
  }
  // Slow syncs are told again when those that hung have ended at last: one group.
  for (const std::string alert : {"VolumeterVolumeReadOnly", "VolumeterVolumeNotMounted"}) {
    EXPECT_EQ(told("chat", alert, "", true).size(), 1U) << alert << ":\n" << everything();
    EXPECT_EQ(told("chat", alert, "", false).size(), 1U) << alert << ":\n" << everything();
  }
  EXPECT_EQ(told("pager", "VolumeterVolumeReadOnly", "", true).size(), 1U) << everything();
  expect_panels_answer(*prometheus_);
  for (const auto& [alert, seconds] : seconds_) {
    std::cout << alert << " was told after " << seconds << " s\n";
  }
}

}  // namespace
}  // namespace volumeter::test
