// What tests of latencies share: an agent whose BPF programs are attached, and something to
// measure.
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "system_test.h"
#include "volumeter/measurement.h"

namespace volumeter::test {
namespace fs = std::filesystem;
using Json = nlohmann::json;

// Cgroups are the machine's, and several test programs may run on it.
inline std::string unique_uid(const std::string& prefix) {
  const std::string pid = std::to_string(::getpid());
  return prefix + std::string(12 - pid.size(), '0') + pid;
}
inline const std::string kPod = unique_uid("3f2504e0-4f89-41d3-9a0c-");
inline const std::string kOtherPod = unique_uid("7c9e6679-7425-40de-944b-");

// Runs fio to the end and returns its only job's results.
inline Json fio(const std::vector<std::string>& arguments,
                const std::vector<std::string>& wrapper = {}) {
  std::vector<std::string> argv = wrapper;
  argv.insert(argv.end(), {"fio", "--name=job", "--output-format=json", "--ioengine=psync",
                           "--direct=1", "--bs=4k", "--percentile_list=50:99"});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Output output = run(argv);
  const auto begin = output.text.find('{');
  if (output.code != 0 || begin == std::string::npos) {
    ADD_FAILURE() << "fio: " << output.text;
    return {};
  }
  return Json::parse(output.text.substr(begin))["jobs"][0];
}

// The last program for syncs has been attached or not: libaio's can be timed with fentry only.
inline bool syncs_were_tried(const Agent& agent) {
  return agent.log().find("program=\"libaio_sync\"") != std::string::npos;
}

struct Counts {
  double completed = 0;
  double timed = 0;
  std::array<double, kDeviceIoBounds.size() + 1> cumulative{};
};

// What a BPF program counted. While other programs come and go on a machine that is busy elsewhere,
// as in these tests, Linux 6.18 leaves out a completion now and then: 10 of 1,036,779 at most were
// measured at a time, and two within 3,000.
inline testing::AssertionResult counted(double count, double done) {
  if (count <= done && count >= done - 1 - done / 1000) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "counted " << count << " of " << done;
}

class LatencyTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    if (!bpf_works()) GTEST_SKIP() << "this kernel has no BPF with type information";
    if (run({"fio", "--version"}).code != 0) GTEST_SKIP() << "fio isn't installed";
  }

  void start_agent(const std::vector<std::string>& more = {}) {
    Agent::Options options;
    options.latency = true;
    std::vector<std::string> all = flags({"--interval=500ms", "--worker.deadline=400ms"});
    all.insert(all.end(), more.begin(), more.end());
    agent = std::make_unique<Agent>(all, options);
    ASSERT_TRUE(agent->ready());
    ASSERT_TRUE(agent->sees(program("block_rq_complete"), 1, 60s)) << agent->log();
  }

  static std::string program(const std::string& name) {
    return "volumeter_bpf_program_attached{program=\"" + name + "\"}";
  }

  [[nodiscard]] Counts counts(const std::string& volume, const std::string& operation,
                              const std::string& uid = kPod,
                              const std::string& type = "csi") const {
    const Metrics metrics = agent->metrics();
    const auto value = [&](const std::string& series) {
      const auto it = metrics.find(series);
      return it == metrics.end() ? std::nan("") : it->second;
    };
    const std::string label = ",operation=\"" + operation + "\"";
    Counts all;
    all.completed = value(pod_series("io_" + operation + "s_completed_total", uid, volume, type));
    all.timed = value(pod_series("io_latency_seconds_count", uid, volume, type, label));
    for (std::size_t i = 0; i < kDeviceIoBounds.size(); ++i) {
      std::ostringstream bound;
      bound << kDeviceIoBounds[i];
      all.cumulative[i] = value(pod_series("io_latency_seconds_bucket", uid, volume, type,
                                           label + ",le=\"" + bound.str() + "\""));
    }
    all.cumulative.back() = all.timed;
    return all;
  }

  // Of the bucket with quantile `q` of what came between.
  static std::size_t bucket_of_quantile(const Counts& before, const Counts& after, double q) {
    const double rank = q * (after.timed - before.timed);
    std::size_t i = 0;
    while (i < kDeviceIoBounds.size() && after.cumulative[i] - before.cumulative[i] < rank) ++i;
    return i;
  }
  static std::size_t bucket_of(double seconds) {
    return static_cast<std::size_t>(
        std::lower_bound(kDeviceIoBounds.begin(), kDeviceIoBounds.end(), seconds) -
        kDeviceIoBounds.begin());
  }

  std::string block_claim(const std::string& volume, const std::string& device) const {
    node->block_volume(kPod, volume, device);
    return device;
  }

  std::unique_ptr<Agent> agent;
};

// The pods' I/O to a disk that they share, by their cgroups.
class Cgroup {
 public:
  explicit Cgroup(const std::string& uid) {
    const bool v1 = fs::exists("/sys/fs/cgroup/blkio");
    root_ = v1 ? "/sys/fs/cgroup/blkio/kubepods" : "/sys/fs/cgroup/kubepods";
    pod_ = root_ + "/pod" + uid;
    // Another test may be removing what they share.
    eventually([&] {
      std::error_code error;
      fs::create_directories(pod_, error);
      return !error;
    });
    if (!v1) {
      for (const std::string& parent : {std::string("/sys/fs/cgroup"), root_, pod_}) {
        std::ofstream(parent + "/cgroup.subtree_control") << "+io" << std::flush;
      }
    }
    fs::create_directories(pod_ + "/container");
  }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  ~Cgroup() {
    for (const std::string& path : {pod_ + "/container", pod_, root_}) ::rmdir(path.c_str());
  }
  // No more than so many writes a second to the device. Of the container: with cgroup v1 a limit
  // isn't its parent's, too.
  void limit_writes(const std::string& device, int per_second) const {
    struct stat st {};
    if (::stat(device.c_str(), &st) != 0) return;
    const std::string number =
        std::to_string(major(st.st_rdev)) + ":" + std::to_string(minor(st.st_rdev)) + " ";
    const std::string limit = std::to_string(per_second);
    if (fs::exists(pod_ + "/container/io.max")) {
      std::ofstream(pod_ + "/container/io.max") << number + "wiops=" + limit << std::flush;
    } else {
      std::ofstream(pod_ + "/container/blkio.throttle.write_iops_device")
          << number + limit << std::flush;
    }
  }
  // A command that runs the rest of its line in the container.
  [[nodiscard]] std::vector<std::string> wrapper() const {
    return {"sh", "-c", "echo $$ > " + pod_ + "/container/cgroup.procs && exec \"$@\"", "sh"};
  }

 private:
  std::string root_;
  std::string pod_;
};

}  // namespace volumeter::test
