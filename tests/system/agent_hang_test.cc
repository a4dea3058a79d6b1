// The agent beside volumes that hang.
#include <sys/mount.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <set>
#include <thread>

#include "system_test.h"

namespace volumeter::test {
namespace {

constexpr const char* kPod = "u";

// Under sanitizers and emulation what they look for shows in few.
int hang_rounds() {
  const char* given = std::getenv("VOLUMETER_TEST_HANG_ROUNDS");
  return given == nullptr ? 100 : std::atoi(given);
}

class AgentHangTest : public SystemTest {
 protected:
  // `healthy` tmpfs volumes and `hung` FUSE ones.
  void build(int healthy, int hung) {
    for (int i = 0; i < healthy; ++i) tmpfs_volume(kPod, "good-" + std::to_string(i));
    for (int i = 0; i < hung; ++i) {
      stalls.push_back(std::make_unique<StallFs>(node->csi_dir(kPod, hung_name(i))));
    }
  }
  static std::string hung_name(int i) { return "hung-" + std::to_string(i); }
  static std::string responsive(int i) { return pod_series("responsive", kPod, hung_name(i)); }

  static double age(const Metrics& metrics, int i) {
    const auto it =
        metrics.find(pod_series("last_measured_timestamp_seconds", kPod,
                                "good-" + std::to_string(i), "csi", ",measurer=\"usage\""));
    return it == metrics.end() ? 1e9 : static_cast<double>(std::time(nullptr)) - it->second;
  }

  std::vector<std::unique_ptr<StallFs>> stalls;
};

TEST_F(AgentHangTest, TenOfFiftyHangAndTheOthersStayFresh) {
  build(40, 10);
  Agent agent(flags({"--interval=1s", "--worker.deadline=900ms"}));
  ASSERT_TRUE(agent.ready());
  ASSERT_TRUE(agent.sees(responsive(9), 1));
  for (const auto& stall : stalls) stall->hold("all");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(agent.sees(responsive(i), 0)) << i;
  // Ten rounds on: every scrape answers, and nobody's numbers grow old.
  for (int round = 0; round < 50; ++round) {
    const Metrics metrics = agent.metrics();
    for (int i = 0; i < 40; ++i) {
      ASSERT_EQ(metrics.at(pod_series("responsive", kPod, "good-" + std::to_string(i))), 1);
      ASSERT_LT(age(metrics, i), 2.0 + 1.0 /* time(2) is truncated */) << i;
    }
    std::this_thread::sleep_for(200ms);
  }
  for (const auto& stall : stalls) stall->release();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(agent.sees(responsive(i), 1)) << i;
}

TEST_F(AgentHangTest, SigtermEndsItWithinTwoSecondsWhateverHangs) {
  build(3, 3);
  Agent agent(flags({"--interval=1s", "--worker.deadline=500ms"}));
  ASSERT_TRUE(agent.ready());
  for (const auto& stall : stalls) stall->hold("all");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(agent.sees(responsive(i), 0));
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.process().wait(2s), 0);
  for (const auto& stall : stalls) stall->release();
}

TEST_F(AgentHangTest, AsPid1ItWarns) {
  tmpfs_volume(kPod, "v");
  Agent::Options options;
  options.process.new_pid_namespace = true;
  Agent agent(flags(), options);
  EXPECT_NE(agent.log().find("hostPID: true"), std::string::npos) << agent.log();
}

TEST_F(AgentHangTest, AfterARestartItIsReadyWhateverHangs) {
  build(5, 3);
  for (const auto& stall : stalls) stall->hold("all");
  Agent agent(flags());
  EXPECT_TRUE(agent.ready(30s));
  EXPECT_TRUE(agent.sees(responsive(0), 0));
  EXPECT_TRUE(agent.metric(pod_series("stats_used_bytes", kPod, "good-0")));
  for (const auto& stall : stalls) stall->release();
}

TEST_F(AgentHangTest, AHundredRoundsLeaveNothingBehind) {
  build(3, 2);
  Agent agent(flags({"--interval=300ms", "--worker.deadline=250ms"}));
  ASSERT_TRUE(agent.ready());
  ASSERT_TRUE(agent.sees(responsive(1), 1));
  // The last of its processes has started.
  ASSERT_TRUE(agent.sees(pod_series("deleted_open_bytes", kPod, "good-0"), 0));
  const auto threads = [&] {
    return count_entries("/proc/" + std::to_string(agent.pid()) + "/task");
  };
  const auto fds = [&] { return count_entries("/proc/" + std::to_string(agent.pid()) + "/fd"); };
  const std::size_t processes_before = process_tree(agent.pid()).size();
  const std::size_t threads_before = threads();
  const std::size_t fds_before = fds();
  for (int round = 0; round < hang_rounds(); ++round) {
    // Alternately a wait that survives SIGKILL and one that doesn't.
    StallFs& stall = *stalls[static_cast<std::size_t>(round % 2)];
    round % 4 < 2 ? stall.hold("statfs") : stall.freeze();
    ASSERT_TRUE(agent.sees(responsive(round % 2), 0)) << round;
    round % 4 < 2 ? stall.release() : stall.thaw();
    ASSERT_TRUE(agent.sees(responsive(round % 2), 1)) << round;
  }
  EXPECT_TRUE(eventually([&] { return process_tree(agent.pid()).size() == processes_before; }));
  EXPECT_EQ(threads(), threads_before);
  EXPECT_TRUE(eventually([&] { return fds() <= fds_before; })) << fds() << " " << fds_before;
  // No reference to a mount either: each can be unmounted at once.
  for (int i = 0; i < 2; ++i) {
    const std::string where = node->csi_dir(kPod, hung_name(i));
    EXPECT_TRUE(eventually([&] { return ::umount2(where.c_str(), 0) == 0; }, 1s));
  }
}

// The share's numbers stay, with their age, while it hangs, and are absent in the end.
TEST_F(AgentHangTest, LastValuesAreKeptUntilStale) {
  build(1, 1);
  Agent agent(flags({"--interval=500ms", "--worker.deadline=300ms", "--stale-after=4s"}));
  const std::string used =
      "volumeter_filesystem_used_bytes{device=\"stallfs\",mountpoint=\"\",fstype=\"fuse.stall\"}";
  const std::string measured =
      "volumeter_filesystem_last_measured_timestamp_seconds{device=\"stallfs\",mountpoint=\"\","
      "fstype=\"fuse.stall\"}";
  ASSERT_TRUE(agent.sees(used, 4000 * 4096));
  stalls[0]->hold("all");
  ASSERT_TRUE(agent.sees(responsive(0), 0));
  const auto when = agent.metric(measured);
  EXPECT_EQ(agent.metric(used), 4000 * 4096) << "a hang doesn't take the last value away";
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(agent.metric(measured), when) << "its age grows";
  EXPECT_TRUE(eventually([&] { return !agent.metric(used); })) << "and in the end it is absent";
  EXPECT_FALSE(agent.metric(measured));
  EXPECT_EQ(agent.metric(responsive(0)), 0) << "which is still known";
  stalls[0]->release();
  EXPECT_TRUE(agent.sees(used, 4000 * 4096));
}

}  // namespace
}  // namespace volumeter::test
