// The profiles of the manifests, each with what its capabilities are for, and what is left without
// one of them: docs/permissions.md.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <numeric>

#include "probe_fixture.h"

namespace volumeter::test {
namespace {

const std::vector<std::string> kObserve = {"DAC_READ_SEARCH"};
const std::vector<std::string> kLatency = {"DAC_READ_SEARCH", "BPF", "PERFMON"};
const std::vector<std::string> kProbe = {"DAC_READ_SEARCH", "BPF", "PERFMON", "DAC_OVERRIDE"};

std::vector<std::string> without(std::vector<std::string> all, const std::string& one) {
  std::erase(all, one);
  return all;
}

bool log_is_restricted() {
  char restricted = '0';
  std::ifstream("/proc/sys/kernel/dmesg_restrict") >> restricted;
  return restricted != '0';
}

class ProfileTest : public ProbeTest {
 protected:
  // A claim of root's and one of a workload's, both to be probed, and a directory of a workload's
  // on the node's own disk.
  void lay_out() {
    probed("ours", "ext4");
    const std::string theirs = probed("theirs", "xfs");
    must_run({"chown", "26:26", theirs});
    must_run({"chmod", "700", theirs});
    directory = node->volume_dir("u-dir", "empty-dir", "scratch");
    std::ofstream(directory + "/data") << std::string(100000, 'x') << std::flush;
    must_run({"chown", "-R", "26:26", directory});
    must_run({"chmod", "700", directory});
  }

  // As a container runtime starts it: root, with these, and no way to get others.
  void start_with(const std::vector<std::string>& capabilities) {
    std::string set = "-all";
    for (std::string name : capabilities) {
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      set += ",+" + name;
    }
    Agent::Options options;
    options.latency = true;
    options.wrapper = {"setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=" + set};
    start({"--usage.walk-interval=1s"}, options);
    EXPECT_EQ(granted(), capabilities.size());
    for (const std::string& name : capabilities) {
      EXPECT_EQ(agent->metric("volumeter_capability_granted{capability=\"" + name + "\"}"), 1);
    }
  }

  [[nodiscard]] std::size_t granted() const {
    std::size_t count = 0;
    for (const auto& [series, value] : agent->metrics()) {
      if (series.starts_with("volumeter_capability_granted{") && value == 1) ++count;
    }
    return count;
  }

  [[nodiscard]] bool counts_and_health() const {
    return eventually([&] {
      return has("volume_usage_ratio", "ours") && has("volume_usage_ratio", "theirs") &&
             has("volume_io_reads_completed_total", "ours") && has("volume_mounted", "theirs") &&
             value("volume_mounted", "theirs") == 1;
    });
  }
  [[nodiscard]] bool attached() const {
    return agent->sees("volumeter_bpf_program_attached{program=\"block_rq_complete\"}", 1, 60s);
  }
  [[nodiscard]] bool refused() const {
    return agent->sees("volumeter_bpf_program_attached{program=\"block_rq_complete\"}", 0, 60s);
  }
  [[nodiscard]] bool walks() const {
    return eventually([&] {
      return agent->metric(pod_series("stats_used_bytes", "u-dir", "scratch", "emptyDir"))
                 .value_or(0) >= 100000;
    });
  }

  std::string directory;
};

TEST_F(ProfileTest, ObserveSeesUsageCountersAndHealth) {
  lay_out();
  start_with(kObserve);
  EXPECT_TRUE(counts_and_health()) << agent->get("/metrics").body;
  EXPECT_TRUE(walks()) << agent->get("/metrics").body;
  EXPECT_TRUE(refused()) << agent->log();
  EXPECT_EQ(agent->get("/metrics").body.find("io_latency_seconds_bucket"), std::string::npos);
  EXPECT_EQ(agent->metric("volumeter_kernel_log_followed"), log_is_restricted() ? 0 : 1);
}

TEST_F(ProfileTest, WithoutDacReadSearchOthersDirectoriesStayClosed) {
  lay_out();
  start_with(without(kObserve, "DAC_READ_SEARCH"));
  EXPECT_TRUE(counts_and_health()) << agent->get("/metrics").body;
  EXPECT_TRUE(eventually([&] {
    return agent
               ->metric(pod_series("measure_errors_total", "u-dir", "scratch", "emptyDir",
                                   ",reason=\"permission\""))
               .value_or(0) >= 1;
  })) << agent->get("/metrics").body;
  EXPECT_FALSE(agent->metric(pod_series("stats_used_bytes", "u-dir", "scratch", "emptyDir")));
}

TEST_F(ProfileTest, LatencyAddsHowLongThingsTake) {
  if (!bpf_works()) GTEST_SKIP() << "this kernel has no BPF with type information";
  lay_out();
  start_with(kLatency);
  EXPECT_TRUE(counts_and_health());
  EXPECT_TRUE(attached()) << agent->log();
  EXPECT_TRUE(eventually([&] {
    return value("volume_io_latency_seconds_count", "ours", ",operation=\"write\"") > 0;
  })) << agent->get("/metrics").body;
  // Probes of root's own directories take no more.
  EXPECT_TRUE(eventually([&] { return writes("ours") >= 2; }));
  EXPECT_TRUE(eventually([&] { return skipped("theirs", "not_permitted") >= 2; }));
  EXPECT_EQ(writes("theirs"), 0);
}

TEST_F(ProfileTest, WithoutBpfOrPerfmonThereIsNoLatency) {
  if (!bpf_works()) GTEST_SKIP() << "this kernel has no BPF with type information";
  lay_out();
  for (const char* missing : {"BPF", "PERFMON"}) {
    start_with(without(kLatency, missing));
    EXPECT_TRUE(refused()) << missing << agent->log();
    EXPECT_TRUE(counts_and_health()) << missing;
    EXPECT_NE(agent->log().find("CAP_PERFMON"), std::string::npos) << agent->log();
    agent.reset();
  }
}

TEST_F(ProfileTest, ProbeReachesWorkloadsOwnDirectories) {
  lay_out();
  start_with(kProbe);
  EXPECT_TRUE(counts_and_health());
  EXPECT_TRUE(eventually([&] { return writes("ours") >= 2 && writes("theirs") >= 2; }))
      << agent->get("/metrics").body;
}

TEST_F(ProfileTest, PrivilegedFollowsTheKernelsLogToo) {
  lay_out();
  Agent::Options options;
  options.latency = true;
  start({}, options);
  EXPECT_EQ(granted(), 7U) << agent->get("/metrics").body;
  EXPECT_TRUE(agent->sees("volumeter_kernel_log_followed", 1)) << agent->log();
  EXPECT_TRUE(eventually([&] { return writes("theirs") >= 2; }));
}

}  // namespace
}  // namespace volumeter::test
