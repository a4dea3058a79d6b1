// What tests of the prober share: claims whose owners want them probed, and an agent that does so
// every second.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "system_test.h"

namespace volumeter::test {
namespace fs = std::filesystem;

class ProbeTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (!IsSkipped()) api = std::make_unique<ApiServer>();
  }

  // The claim `shop/<name>`, used by a pod of its own; where its volume is to be mounted.
  std::string claim(const std::string& name, const std::string& annotations,
                    const std::string& mode = "Filesystem") {
    ClaimSpec spec{"shop", name, "pv-" + name, "1Gi"};
    spec.annotations_json = annotations;
    spec.mode = mode;
    put_claim(*api, spec);
    api->put("/api/v1/namespaces/shop", R"({"kind":"Namespace","metadata":{"name":"shop"}})");
    put_pod(name);
    return mode == "Block" ? "" : node->csi_dir("u-" + name, "pv-" + name);
  }
  void put_pod(const std::string& name, bool deleting = false) {
    api->set_pod("u-" + name, pod_json("shop", name, "u-" + name, claim_volume_json("data", name),
                                       "StatefulSet", "db", deleting));
  }
  static constexpr const char* kOn = R"("volumeter.io/probe":"on")";

  // With a filesystem of its own, and its path.
  std::string probed(const std::string& name, const std::string& fstype,
                     const std::string& annotations = kOn, std::uint64_t size = 400 << 20) {
    const std::string where = claim(name, annotations);
    image = node->image(fstype, size);
    device = node->mount_image(image, fstype, where);
    return where;
  }

  void start(const std::vector<std::string>& more = {}, const Agent::Options& options = {}) {
    std::vector<std::string> all = flags({"--kube.api-url=" + api->url(), "--interval=500ms",
                                          "--worker.deadline=400ms", "--probe.interval=1s"});
    all.insert(all.end(), more.begin(), more.end());
    agent = std::make_unique<Agent>(all, options);
    ASSERT_TRUE(agent->ready()) << agent->log();
  }

  static std::string series(const std::string& metric, const std::string& name,
                            const std::string& more = "") {
    return "volumeter_" + metric + R"({namespace="shop",persistentvolumeclaim=")" + name + "\"" +
           more + "}";
  }
  [[nodiscard]] double value(const std::string& metric, const std::string& name,
                             const std::string& more = "") const {
    return agent->metric(series(metric, name, more)).value_or(0);
  }
  [[nodiscard]] bool has(const std::string& metric, const std::string& name,
                         const std::string& more = "") const {
    return agent->metric(series(metric, name, more)).has_value();
  }
  [[nodiscard]] double reads(const std::string& name) const {
    return value("probe_duration_seconds_count", name, ",operation=\"read\"");
  }
  [[nodiscard]] double writes(const std::string& name) const {
    return value("probe_duration_seconds_count", name, ",operation=\"write_sync\"");
  }
  [[nodiscard]] double skipped(const std::string& name, const std::string& reason) const {
    return value("probe_skipped_total", name, ",reason=\"" + reason + "\"");
  }
  // /proc/diskstats, column 10.
  static std::uint64_t written_sectors(const std::string& disk) {
    std::ifstream stat("/sys/class/block/" + fs::path(disk).filename().string() + "/stat");
    std::uint64_t column = 0;
    for (int i = 0; i < 7; ++i) stat >> column;
    return column;
  }
  // Names in a volume, hidden ones too.
  static std::vector<std::string> names_in(const std::string& where) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(where)) {
      if (entry.path().filename() != "lost+found") names.push_back(entry.path());
    }
    return names;
  }

  std::unique_ptr<ApiServer> api;
  std::unique_ptr<Agent> agent;
  std::string image;   // of the last probed()
  std::string device;  // likewise
};

}  // namespace volumeter::test
