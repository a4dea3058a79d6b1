// Pods from a kubelet's /pods, over TLS with certificates of our own.
#include <gtest/gtest.h>

#include <cstdlib>

#include "kube/metadata_source.h"
#include "support/api_server.h"
#include "support/process.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
using test::ApiServer;
using test::eventually;

// A certificate that is its own CA, as a kubelet's is by default.
class KubeletPodsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory() = testing::TempDir() + "/kubelet-" + std::to_string(::getpid());
    test::must_run({"mkdir", "-p", directory()});
    make("node", "IP:127.0.0.1");
    make("other", "DNS:elsewhere");
  }
  static void TearDownTestSuite() { test::must_run({"rm", "-r", directory()}); }
  static std::string& directory() {
    static std::string path;
    return path;
  }
  static void make(const std::string& name, const std::string& alternative) {
    test::must_run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=" + alternative, "-keyout", key(name), "-out",
                    certificate(name)});
  }
  static std::string key(const std::string& name) { return directory() + "/" + name + ".key"; }
  static std::string certificate(const std::string& name) {
    return directory() + "/" + name + ".crt";
  }

  MetadataOptions options(const ApiServer& kubelet) {
    MetadataOptions options;
    options.kubelet.url = kubelet.url();
    options.kubelet.ca_file = certificate("node");
    options.pods.refresh = Seconds(1);
    options.pods.backoff_unit = Seconds(0.1);
    return options;
  }
  static SourceState kubelet_state(const MetadataSource& source) {
    return source.current()->sources.front();
  }
};

TEST_F(KubeletPodsTest, PodsComeFromTheKubeletAndClaimsFromTheApiServer) {
  ApiServer kubelet(key("node"), certificate("node"));
  ApiServer api;
  kubelet.set_pod("u1", test::pod_json("shop", "web", "u1", test::claim_volume_json("d", "data")));
  put_claim(api, {"shop", "data", "pv-1", "1Gi"});
  MetadataOptions both = options(kubelet);
  both.api.url = api.url();
  MetadataSource source(both);
  ASSERT_TRUE(eventually([&] {
    return source.current() != nullptr && !source.current()->metadata->persistent_volumes.empty();
  }));
  EXPECT_TRUE(kubelet_state(source).up) << kubelet_state(source).problem;
  EXPECT_EQ(kubelet_state(source).source, "kubelet");
  EXPECT_EQ(source.current()->sources.back().source, "apiserver");
  EXPECT_EQ(api.requests("/api/v1/pods"), 0);
  EXPECT_GE(kubelet.requests("/pods"), 1);

  kubelet.set_pod("u2", test::pod_json("shop", "db", "u2", ""));
  source.refresh_soon();
  EXPECT_TRUE(eventually([&] { return source.current()->metadata->pods.contains("u2"); }));
}

TEST_F(KubeletPodsTest, WhatItExportsOfVolumesHealthIsRead) {
  ApiServer kubelet(key("node"), certificate("node"));
  kubelet.set_pod("u1", test::pod_json("shop", "web", "u1", test::claim_volume_json("d", "data")));
  const auto say = [&](const std::string& value) {
    kubelet.put("/metrics",
                "# TYPE kubelet_volume_stats_health_status_abnormal gauge\n"
                "kubelet_volume_stats_health_status_abnormal{namespace=\"shop\","
                "persistentvolumeclaim=\"data\"} " +
                    value + "\n");
  };
  say("1");
  MetadataOptions own = options(kubelet);
  own.health.refresh = Seconds(0.2);
  MetadataSource source(own);
  const auto said = [&](std::optional<bool> wanted) {
    return eventually([&] {
      const auto state = source.current();
      if (state == nullptr) return false;
      const auto& all = state->metadata->abnormal;
      const auto it = all.find({"shop", "data"});
      return (it == all.end() ? std::nullopt : std::optional(it->second)) == wanted;
    });
  };
  EXPECT_TRUE(said(true));
  say("0");
  EXPECT_TRUE(said(false));
  kubelet.answer_with("/metrics", 403, "Forbidden");
  EXPECT_TRUE(said(std::nullopt)) << "nobody knows any more";
  EXPECT_TRUE(kubelet_state(source).up) << "pods still come";
}

// A kubelet that has just started lists no pods for a moment.
TEST_F(KubeletPodsTest, OneEmptyListIsNotBelievedTwoAre) {
  ApiServer kubelet(key("node"), certificate("node"));
  kubelet.set_pod("u1", test::pod_json("shop", "web", "u1", ""));
  MetadataOptions slow = options(kubelet);
  slow.pods.refresh = Seconds(0.3);
  slow.pods.backoff_unit = Seconds(0.1);
  MetadataSource source(slow);
  ASSERT_TRUE(eventually([&] {
    return source.current() != nullptr && source.current()->metadata->pods.contains("u1");
  }));
  kubelet.answer_with("/pods", 200, R"({"kind":"PodList","items":null})");
  const int before = kubelet.requests("/pods");
  ASSERT_TRUE(eventually([&] { return kubelet.requests("/pods") > before; }));
  kubelet.serve("/pods");
  ASSERT_TRUE(eventually([&] { return kubelet.requests("/pods") > before + 2; }));
  EXPECT_TRUE(source.current()->metadata->pods.contains("u1"));
  kubelet.remove_pod("u1");
  EXPECT_TRUE(eventually([&] { return source.current()->metadata->pods.empty(); }));
}

TEST_F(KubeletPodsTest, WorksWithNoApiServerAtAll) {
  ApiServer kubelet(key("node"), certificate("node"));
  kubelet.set_pod("u1", test::pod_json("shop", "web", "u1", test::claim_volume_json("d", "data")));
  MetadataSource source(options(kubelet));
  ASSERT_TRUE(eventually([&] {
    return source.current() != nullptr && source.current()->metadata->pods.contains("u1");
  }));
  EXPECT_EQ(source.current()->sources.size(), 1U);
}

TEST_F(KubeletPodsTest, ACertificateOfAnotherIsRefusedUnlessTheOperatorSaysSo) {
  ApiServer kubelet(key("other"), certificate("other"));
  MetadataOptions strict = options(kubelet);
  MetadataSource refused(strict);
  refused.wait_first(5s);
  ASSERT_NE(refused.current(), nullptr);
  EXPECT_FALSE(kubelet_state(refused).up);
  EXPECT_NE(kubelet_state(refused).problem.find("certificate"), std::string::npos)
      << kubelet_state(refused).problem;
  EXPECT_NE(kubelet_state(refused).problem.find("--kube.kubelet-insecure-tls"), std::string::npos);
  EXPECT_EQ(kubelet.requests(), 0);

  strict.kubelet.insecure_tls = true;
  MetadataSource accepted(strict);
  accepted.wait_first(5s);
  ASSERT_NE(accepted.current(), nullptr);
  EXPECT_TRUE(kubelet_state(accepted).up) << kubelet_state(accepted).problem;
}

TEST_F(KubeletPodsTest, SaysWhichPermissionIsMissing) {
  ApiServer kubelet(key("node"), certificate("node"));
  kubelet.answer_with("/pods", 403,
                      "Forbidden (user=x, verb=get, resource=nodes, "
                      "subresource(s)=[pods proxy])");
  MetadataSource source(options(kubelet));
  source.wait_first(5s);
  ASSERT_NE(source.current(), nullptr);
  EXPECT_NE(kubelet_state(source).problem.find("nodes/pods"), std::string::npos)
      << kubelet_state(source).problem;
}

TEST_F(KubeletPodsTest, SaysSoOfItsMetricsToo) {
  ApiServer kubelet(key("node"), certificate("node"));
  kubelet.answer_with("/metrics", 403, "Forbidden");
  MetadataOptions own = options(kubelet);
  own.health.refresh_of_none = Seconds(0.05);
  testing::internal::CaptureStderr();
  bool twice = false;
  {
    MetadataSource source(own);
    twice = eventually([&] { return kubelet.requests("/metrics") >= 2; });
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(twice);
  EXPECT_NE(log.find("nodes/metrics"), std::string::npos) << log;
}

}  // namespace
}  // namespace volumeter
