// volumeter's series beside kube-state-metrics' in a real Prometheus: what people write to bring
// the two together works.
#include <fstream>
#include <sstream>

#include "support/prometheus.h"
#include "system_test.h"

namespace volumeter::test {
namespace {

class JoinTest : public SystemTest {
 protected:
  void SetUp() override {
    if (const auto why = why_no_prometheus()) GTEST_SKIP() << *why;
    SystemTest::SetUp();
    put_claim(api_, {"shop", "data-db-0", "pv-0", "1Mi"});
    put_claim(api_, {"shop", "reports", "pv-1", "1Mi"});
    tmpfs_volume("u0", "pv-0");
    tmpfs_volume("u1", "pv-1");
    api_.set_pod("u0", pod_json("shop", "db-0", "u0", claim_volume_json("data", "data-db-0"),
                                "StatefulSet", "db"));
    api_.set_pod("u1",
                 pod_json("shop", "web-5d9c7-x2x7k", "u1", claim_volume_json("reports", "reports"),
                          "ReplicaSet", "web-5d9c7"));
    std::ifstream file(std::string(SOURCE_DIR) + "/tests/fixtures/kube-state-metrics.txt");
    std::stringstream text;
    text << file.rdbuf();
    state_metrics_.put("/metrics", text.str());
  }
  static std::string address(const std::string& url) { return url.substr(url.rfind('/') + 1); }

  ApiServer api_;
  ApiServer state_metrics_;
};

TEST_F(JoinTest, EachJoinFindsItsPartner) {
  Agent agent(flags({"--kube.api-url=" + api_.url()}));
  ASSERT_TRUE(agent.ready());
  const Prometheus prometheus(
      {"127.0.0.1:" + std::to_string(agent.port()), address(state_metrics_.url())});
  const auto count = [&](const std::string& expression) {
    std::string error;
    const std::size_t n = prometheus.query(expression, &error).size();
    EXPECT_EQ(error, "") << expression;
    return n;
  };
  ASSERT_TRUE(eventually(
      [&] {
        return count("volumeter_volume_usage_ratio") == 2 &&
               count("kube_persistentvolumeclaim_info") == 2;
      },
      60s));
  const std::string on = " on (namespace, persistentvolumeclaim) ";

  EXPECT_EQ(count("volumeter_volume_usage_ratio *" + on +
                  "group_left (storageclass, volumename) kube_persistentvolumeclaim_info"),
            2U);
  EXPECT_EQ(count("volumeter_volume_requested_bytes ==" + on +
                  "kube_persistentvolumeclaim_resource_requests_storage_bytes"),
            2U);
  EXPECT_EQ(count("volumeter_volume_usage_ratio unless" + on +
                  "kube_persistentvolumeclaim_labels{label_excluded_from_alerts=\"true\"}"),
            1U);
  EXPECT_EQ(count("volumeter_volume_access_mode == on (namespace, persistentvolumeclaim, "
                  "access_mode) kube_persistentvolumeclaim_access_mode"),
            2U);
  EXPECT_EQ(count("volumeter_volume_mount_info * on (namespace, persistentvolumeclaim, pod, uid) "
                  "kube_pod_spec_volumes_persistentvolumeclaims_info"),
            2U);

  // Whose volume fills up: the owner comes along.
  const auto owners =
      prometheus.query("volumeter_volume_usage_ratio *" + on +
                       "group_right volumeter_volume_mount_info{owner_kind=\"StatefulSet\"}");
  ASSERT_EQ(owners.size(), 1U);
  EXPECT_EQ(owners[0].labels.at("owner_name"), "db");
  EXPECT_EQ(owners[0].labels.at("ordinal"), "0");
  const auto deployment = prometheus.query("volumeter_volume_mount_info{pod=~\"web-.*\"}");
  ASSERT_EQ(deployment.size(), 1U);
  EXPECT_EQ(deployment[0].labels.at("owner_kind"), "Deployment");
  EXPECT_EQ(deployment[0].labels.at("owner_name"), "web");
}

}  // namespace
}  // namespace volumeter::test
