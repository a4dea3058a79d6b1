// What tests of claims share: a stand-in API server that knows them, and an agent that asks it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "system_test.h"

namespace volumeter::test {

class ClaimTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (!IsSkipped()) api = std::make_unique<ApiServer>();
  }

  // The claim `shop/<spec.name>`, used by a pod of its own; where its volume is to be mounted.
  std::string claim(ClaimSpec spec) {
    spec.namespace_ = "shop";
    if (spec.volume.empty()) spec.volume = "pv-" + spec.name;
    if (spec.storage.empty()) spec.storage = "1Gi";
    put_claim(*api, spec);
    api->put("/api/v1/namespaces/shop", R"({"kind":"Namespace","metadata":{"name":"shop"}})");
    put_pod(spec.name);
    return spec.mode == "Block" ? "" : node->csi_dir("u-" + spec.name, spec.volume);
  }
  std::string claim(const std::string& name) {
    ClaimSpec spec;
    spec.name = name;
    return claim(spec);
  }
  void put_pod(const std::string& name, bool deleting = false) {
    api->set_pod("u-" + name, pod_json("shop", name, "u-" + name, claim_volume_json("data", name),
                                       "StatefulSet", "db", deleting));
  }

  void start(const std::vector<std::string>& more = {}, const Agent::Options& options = {}) {
    std::vector<std::string> all =
        flags({"--kube.api-url=" + api->url(), "--interval=500ms", "--worker.deadline=400ms"});
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

  std::unique_ptr<ApiServer> api;
  std::unique_ptr<Agent> agent;
};

}  // namespace volumeter::test
