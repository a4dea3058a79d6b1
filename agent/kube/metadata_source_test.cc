// Against a real HTTP server that answers as the API server does.
#include "kube/metadata_source.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "support/api_server.h"
#include "support/process.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
using test::ApiServer;

class MetadataSourceTest : public testing::Test {
 protected:
  MetadataSourceTest() {
    put_claim(api_, {"shop", "data", "pv-1", "1Gi"});
    api_.put("/api/v1/pods", test::pod_list_json(test::pod_json(
                                 "shop", "web", "u1", test::claim_volume_json("d", "data"))));
  }
  MetadataOptions options() {
    MetadataOptions options;
    options.api.url = api_.url();
    options.node_name = "node 1";
    options.refresh = 1s;
    return options;
  }
  ApiServer api_;
};

bool up(const MetadataSource& source) {
  const auto state = source.current();
  return state != nullptr && state->source.up;
}

TEST_F(MetadataSourceTest, AsksForThisNodesPodsAndItsClaimsByName) {
  MetadataSource source(options());
  source.wait_first(5s);
  ASSERT_TRUE(up(source));
  const Metadata& metadata = source.current()->metadata;
  EXPECT_EQ(metadata.pods.at("u1").pod.name, "web");
  EXPECT_EQ(metadata.claims.at({"shop", "data"}).claim.requested_bytes, 1U << 30U);
  EXPECT_EQ(metadata.persistent_volumes.at("pv-1").csi_driver, "demo.csi");
  EXPECT_EQ(metadata.storage_classes.at("standard").provisioner, "demo.csi");
  EXPECT_EQ(api_.last_query("/api/v1/pods"),
            "resourceVersion=0&fieldSelector=spec.nodeName=node 1");
}

TEST_F(MetadataSourceTest, KeepsTheLastGoodNamesAndSaysWhyItIsDown) {
  MetadataSource source(options());
  source.wait_first(5s);
  ASSERT_TRUE(up(source));
  api_.fail_with(403);
  source.refresh_soon();
  ASSERT_TRUE(test::eventually([&] { return !up(source); }));
  EXPECT_NE(source.current()->source.problem.find("HTTP 403: as told"), std::string::npos);
  EXPECT_TRUE(source.current()->metadata.pods.contains("u1"));
  EXPECT_TRUE(source.current()->source.last_success);
  api_.fail_with(0);
  source.refresh_soon();
  EXPECT_TRUE(test::eventually([&] { return up(source); }));
}

TEST_F(MetadataSourceTest, SendsTheTokenAndReadsItAgainWhenRotated) {
  const std::string path = testing::TempDir() + "/token";
  std::ofstream(path) << "first\n";
  api_.require_token("first");
  MetadataOptions with_token = options();
  with_token.api.token_file = path;
  MetadataSource source(with_token);
  source.wait_first(5s);
  EXPECT_TRUE(up(source));
  api_.require_token("second");
  std::ofstream(path) << "second\n";
  source.refresh_soon();
  const int before = api_.requests();
  EXPECT_TRUE(test::eventually([&] { return api_.requests() > before && up(source); }));
  std::remove(path.c_str());
}

TEST_F(MetadataSourceTest, AMissingTokenFileIsNamed) {
  MetadataOptions with_token = options();
  with_token.api.token_file = "/nonexistent/token";
  MetadataSource source(with_token);
  source.wait_first(5s);
  ASSERT_FALSE(up(source));
  EXPECT_NE(source.current()->source.problem.find("/nonexistent/token"), std::string::npos);
}

TEST_F(MetadataSourceTest, AnAnswerOverTheLimitIsRefused) {
  MetadataOptions limited = options();
  limited.api.response_limit = 10;
  MetadataSource source(limited);
  source.wait_first(5s);
  ASSERT_FALSE(up(source));
  EXPECT_NE(source.current()->source.problem.find("longer than the allowed 10 bytes"),
            std::string::npos);
}

TEST_F(MetadataSourceTest, ADepartedClaimLeaves) {
  MetadataSource source(options());
  source.wait_first(5s);
  ASSERT_TRUE(up(source));
  api_.put("/api/v1/pods", test::pod_list_json(""));
  source.refresh_soon();
  EXPECT_TRUE(test::eventually([&] { return source.current()->metadata.claims.empty(); }));
  EXPECT_TRUE(source.current()->metadata.persistent_volumes.empty());
}

}  // namespace
}  // namespace volumeter
