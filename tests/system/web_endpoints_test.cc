// The endpoints, the exit codes and `volumeter df`, as a shell sees them.
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "system_test.h"

namespace volumeter::test {
namespace {

class EndpointsTest : public SystemTest {};

TEST_F(EndpointsTest, AnswerWithTheirTypes) {
  tmpfs_volume("u", "v");
  Agent agent(flags());
  ASSERT_TRUE(agent.ready());
  for (const char* path : {"/healthz", "/-/healthy", "/readyz", "/-/ready"}) {
    EXPECT_EQ(agent.get(path).status, 200) << path;
  }
  EXPECT_EQ(agent.get("/metricsx").status, 404);
  EXPECT_NE(agent.get("/metrics").headers.find("text/plain; version=0.0.4"), std::string::npos);
  const auto json = nlohmann::json::parse(agent.get("/api/v1/volumes").body);
  EXPECT_EQ(json["volumes"][0]["usage"]["capacityBytes"], 1 << 20);
  const auto curl = agent.get("/");
  EXPECT_NE(curl.headers.find("text/plain"), std::string::npos);
  EXPECT_NE(curl.body.find("USE%"), std::string::npos);
  const auto browser = http_get(agent.port(), "/", "Accept: text/html,*/*\r\n");
  EXPECT_NE(browser.headers.find("text/html"), std::string::npos);
  EXPECT_NE(browser.body.find("<table>"), std::string::npos);
  const auto zipped = http_get(agent.port(), "/metrics", "Accept-Encoding: gzip\r\n");
  EXPECT_NE(zipped.headers.find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_LT(zipped.body.size(), agent.get("/metrics").body.size());
}

TEST_F(EndpointsTest, TheTelemetryPathCanBeMoved) {
  Agent agent(flags({"--web.telemetry-path=/m"}));
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(agent.get("/m").status, 200);
  EXPECT_EQ(agent.get("/metrics").status, 404);
}

TEST_F(EndpointsTest, AMeasurerCanBeTurnedOff) {
  tmpfs_volume("u", "v");
  Agent agent(flags({"--no-measure.io", "--no-measure.usage"}));
  ASSERT_TRUE(agent.ready());
  const std::string text = agent.get("/metrics").body;
  EXPECT_EQ(text.find("volumeter_block_device_io"), std::string::npos);
  EXPECT_EQ(text.find("stats_used_bytes"), std::string::npos);
  EXPECT_EQ(text.find("usage_method"), std::string::npos);
  EXPECT_EQ(text.find("measurer=\"usage\""), std::string::npos);
  EXPECT_NE(text.find("volumeter_pod_volume_mounted"), std::string::npos);
}

TEST_F(EndpointsTest, ApiObjectsAreInJsonAndInMetricsOnlyWhenAsked) {
  Node::mount("tmpfs", node->volume_dir("u", "secret", "s"), "tmpfs", 0, "size=1m");
  {
    Agent agent(flags());
    ASSERT_TRUE(agent.ready());
    EXPECT_FALSE(agent.metric(pod_series("stats_used_bytes", "u", "s", "secret")));
    EXPECT_NE(agent.get("/api/v1/volumes").body.find("\"secret\""), std::string::npos);
  }
  Agent agent(flags({"--metrics.all-volumes"}));
  ASSERT_TRUE(agent.ready());
  EXPECT_TRUE(agent.metric(pod_series("stats_used_bytes", "u", "s", "secret")));
}

TEST_F(EndpointsTest, DfWorksWithoutADaemon) {
  tmpfs_volume("u", "v");
  StallFs stall(node->csi_dir("u", "hung"));
  stall.hold("all");
  std::vector<std::string> argv = {VOLUMETER_PATH, "df", "--worker.deadline=500ms"};
  for (const std::string& flag : node->agent_flags()) argv.push_back(flag);
  const Output table = run(argv);
  EXPECT_EQ(table.code, 0);
  EXPECT_NE(table.text.find("1 MiB"), std::string::npos) << table.text;
  EXPECT_NE(table.text.find("hung: no answer by the deadline"), std::string::npos) << table.text;
  argv.insert(argv.end(), {"-o", "json"});
  const auto json = nlohmann::json::parse(run(argv).text);
  EXPECT_EQ(json["volumes"].size(), 2U);
  argv.back() = "wide";
  EXPECT_NE(run(argv).text.find("METHOD"), std::string::npos);
  stall.release();
}

TEST_F(EndpointsTest, WhatCannotWorkExits2AndNamesItself) {
  const auto fails = [](const std::vector<std::string>& arguments, const std::string& culprit) {
    std::vector<std::string> argv = {VOLUMETER_PATH};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const Output output = run(argv);
    EXPECT_EQ(output.code, 2) << output.text;
    EXPECT_NE(output.text.find(culprit), std::string::npos) << output.text;
  };
  fails({"agent", "--frobnicate"}, "--frobnicate");
  fails({"agent", "--web.listen-address=nowhere:1"}, "nowhere");
  fails({"agent", "--path.rootfs=/nonexistent"}, "/nonexistent");
  fails({"agent", "--path.procfs=/nonexistent"}, "/nonexistent/1/mountinfo");
  fails({"df", "--path.procfs=/nonexistent"}, "/nonexistent/1/mountinfo");
  Agent agent(flags());
  fails({"agent", "--web.listen-address=127.0.0.1:" + std::to_string(agent.port())}, "in use");
}

TEST_F(EndpointsTest, AMissingKubeletOrTokenKeepsItRunningDegraded) {
  Agent agent({"--path.procfs=" + node->procfs(), "--path.kubelet=/nonexistent/kubelet",
               "--kube.api-url=http://127.0.0.1:9", "--kube.token-file=/nonexistent/token"});
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(agent.metric("volumeter_metadata_source_up{source=\"kubelet-directory\"}"), 0);
  EXPECT_TRUE(agent.sees("volumeter_metadata_source_up{source=\"apiserver\"}", 0));
  EXPECT_NE(agent.log().find("/nonexistent/kubelet/pods"), std::string::npos);
  EXPECT_TRUE(
      eventually([&] { return agent.log().find("/nonexistent/token") != std::string::npos; }));
}

}  // namespace
}  // namespace volumeter::test
