// Attaching and detaching BPF programs, by processes of their own.
#include "collect/tracer.h"

#include "measure/latency/programs.h"
#include "system_test.h"

namespace volumeter::test {
namespace {

// Wants what it is told to.
class Wanting final : public TracingMeasurer {
 public:
  [[nodiscard]] std::string_view name() const override { return "latency"; }
  [[nodiscard]] std::vector<const MetricDesc*> families() const override { return {}; }
  Status measure(const Inventory& /*inventory*/, MeasurementSet& /*out*/) override {
    return Done{};
  }
  [[nodiscard]] std::vector<std::string> all_programs() const override {
    return {kRequestComplete, kRequestIssue};
  }
  [[nodiscard]] std::vector<std::string> wanted_programs() override { return wanted; }
  [[nodiscard]] Result<std::vector<int>> attach(const std::string& /*program*/,
                                                const std::vector<int>& /*maps*/) const override {
    return Error{"not in this process", 0};
  }
  [[nodiscard]] std::size_t map_count() const override { return kLatencyMaps; }
  Status adopt(const std::vector<UniqueFd>& maps) override {
    ++adopted;
    return maps.size() == kLatencyMaps ? Status(Done{}) : Status(Error{"not all maps", 0});
  }
  void on_attached(const std::string& program, bool attached) override {
    events.push_back((attached ? "+" : "-") + program);
  }

  std::vector<std::string> wanted;
  std::vector<std::string> events;
  int adopted = 0;
};

class TracerTest : public testing::Test {
 protected:
  void start(const std::string& exe) {
    measurers_.push_back(std::make_unique<Wanting>());
    TracerOptions options;
    options.exe = exe;
    options.deadline = 10s;
    tracer_ = std::make_unique<Tracer>(loop_, measurers_, options);
  }
  Wanting& measurer() { return static_cast<Wanting&>(*measurers_[0]); }
  void look_until_idle() {
    tracer_->look();
    for (int i = 0; i < 3000 && !tracer_->idle(); ++i) {
      loop_.after(10ms, [&] { loop_.stop(); });
      loop_.run();
    }
  }

  EventLoop loop_;
  Measurers measurers_;
  std::unique_ptr<Tracer> tracer_;
};

using Programs = std::vector<std::pair<std::string, bool>>;

TEST_F(TracerTest, WhatIsWantedIsAttachedAndTheRestDetached) {
  if (!bpf_works()) GTEST_SKIP() << "this kernel has no BPF with type information";
  start(VOLUMETER_PATH);
  measurer().wanted = {kRequestIssue, kRequestComplete};
  look_until_idle();
  EXPECT_EQ(tracer_->programs(), (Programs{{kRequestComplete, true}, {kRequestIssue, true}}));
  EXPECT_EQ(measurer().adopted, 1) << "the second program uses the first one's maps";
  measurer().wanted = {kRequestComplete};
  look_until_idle();
  EXPECT_EQ(tracer_->programs(), (Programs{{kRequestComplete, true}}));
  measurer().wanted = {kRequestIssue, kRequestComplete};
  look_until_idle();
  EXPECT_EQ(tracer_->programs(), (Programs{{kRequestComplete, true}, {kRequestIssue, true}}))
      << "at once, not when a failed one would be tried again";
  EXPECT_EQ(measurer().events,
            (std::vector<std::string>{
                std::string("+") + kRequestIssue, std::string("+") + kRequestComplete,
                std::string("-") + kRequestIssue, std::string("+") + kRequestIssue}));
}

TEST_F(TracerTest, AProcessThatFailsLeavesItUnattached) {
  start("/bin/false");
  measurer().wanted = {kRequestComplete};
  look_until_idle();
  EXPECT_EQ(tracer_->programs(), (Programs{{kRequestComplete, false}}));
  EXPECT_TRUE(measurer().events.empty());
}

TEST_F(TracerTest, OneThatCannotStartToo) {
  start("/nonexistent/volumeter");
  measurer().wanted = {kRequestComplete};
  look_until_idle();
  EXPECT_EQ(tracer_->programs(), (Programs{{kRequestComplete, false}}));
}

}  // namespace
}  // namespace volumeter::test
