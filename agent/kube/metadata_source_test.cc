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
using test::claim_volume_json;
using test::eventually;
using test::pod_json;

class MetadataSourceTest : public testing::Test {
 protected:
  MetadataSourceTest() {
    put_claim(api_, {"shop", "data", "pv-1", "1Gi"});
    api_.set_pod("u1", pod_json("shop", "web", "u1", claim_volume_json("d", "data")));
  }
  MetadataOptions options() {
    MetadataOptions options;
    options.api.url = api_.url();
    options.pods.node_name = "node 1";
    // Time runs fast: backoff and refresh.
    options.pods.backoff_unit = options.objects.backoff_unit = Seconds(0.03);
    options.objects.claim_refresh = Seconds(0.5);
    return options;
  }
  // Started, and its watch is open.
  std::unique_ptr<MetadataSource> watching() { return watching(options()); }
  std::unique_ptr<MetadataSource> watching(const MetadataOptions& options) {
    auto source = std::make_unique<MetadataSource>(options);
    EXPECT_TRUE(eventually([&] { return api_.open_watches() == 1 && up(*source); }));
    return source;
  }
  static bool up(const MetadataSource& source) {
    const auto state = source.current();
    return state != nullptr && state->sources.front().up;
  }
  static std::string problem(const MetadataSource& source) {
    const auto state = source.current();
    return state == nullptr ? "" : state->sources.front().problem;
  }
  static bool has_pod(const MetadataSource& source, const std::string& uid) {
    const auto state = source.current();
    return state != nullptr && state->metadata->pods.contains(uid);
  }
  bool sees_a_new_pod(const MetadataSource& source) {
    api_.set_pod("new", pod_json("shop", "new", "new", ""));
    return eventually([&] { return has_pod(source, "new"); });
  }
  // The server has asked for a second.
  void expect_a_pause() {
    MetadataSource source(options());
    source.wait_first(5s);
    std::this_thread::sleep_for(800ms);
    EXPECT_EQ(api_.requests("/api/v1/pods"), 1);
    api_.serve("/api/v1/pods");
    EXPECT_TRUE(eventually([&] { return up(source); }));
  }

  ApiServer api_;
};

TEST_F(MetadataSourceTest, ListsAndWatchesThisNodesPodsAndGetsTheirClaimsByName) {
  const auto source = watching();
  const Metadata metadata = *source->current()->metadata;
  EXPECT_EQ(metadata.pods.at("u1").pod.name, "web");
  EXPECT_EQ(metadata.claims.at({"shop", "data"}).claim.requested_bytes, 1U << 30U);
  EXPECT_EQ(metadata.persistent_volumes.at("pv-1").csi_driver, "demo.csi");
  EXPECT_EQ(metadata.storage_classes.at("standard").provisioner, "demo.csi");
  const std::string query = api_.last_query("/api/v1/pods");
  EXPECT_NE(query.find("watch=1&allowWatchBookmarks=true&resourceVersion=2"), std::string::npos)
      << query;
  EXPECT_NE(query.find("fieldSelector=spec.nodeName=node 1"), std::string::npos) << query;
  EXPECT_EQ(api_.requests("/api/v1/persistentvolumeclaims"), 0) << "never listed";
  EXPECT_EQ(api_.requests("/api/v1/persistentvolumes?"), 0);
}

TEST_F(MetadataSourceTest, EventsOfTheWatchArriveWithoutAsking) {
  const auto source = watching();
  const int requests = api_.requests("/api/v1/pods");
  EXPECT_TRUE(sees_a_new_pod(*source));
  api_.set_pod("u1", pod_json("shop", "web", "u1", claim_volume_json("d", "data"), "", "", true));
  EXPECT_TRUE(eventually([&] { return source->current()->metadata->pods.at("u1").pod.deleting; }));
  api_.remove_pod("u1");
  EXPECT_TRUE(eventually([&] { return source->current()->metadata->claims.empty(); }));
  EXPECT_TRUE(source->current()->metadata->persistent_volumes.empty());
  EXPECT_FALSE(has_pod(*source, "u1"));
  EXPECT_EQ(api_.requests("/api/v1/pods"), requests);
}

TEST_F(MetadataSourceTest, APodAppearsTogetherWithItsClaim) {
  const auto source = watching();
  put_claim(api_, {"shop", "more", "pv-2", "2Gi"});
  api_.delay(300ms);
  api_.set_pod("u2", pod_json("shop", "db", "u2", claim_volume_json("d", "more")));
  bool nameless = false;
  EXPECT_TRUE(eventually([&] {
    const auto metadata = source->current()->metadata;
    if (!metadata->pods.contains("u2")) return false;
    nameless = nameless || !metadata->persistent_volumes.contains("pv-2");
    return true;
  }));
  EXPECT_FALSE(nameless);
}

TEST_F(MetadataSourceTest, ATooOldVersionIsListedAnewWhereverTheServerSaysSo) {
  const auto source = watching();
  for (const bool by_status : {true, false}) {
    SCOPED_TRACE(by_status);
    const int lists = api_.requests("/api/v1/pods");
    api_.remove_pod("new");
    api_.forget_history(by_status);
    api_.end_watches();
    ASSERT_TRUE(eventually([&] { return api_.requests("/api/v1/pods") >= lists + 3; }))
        << "a watch that is refused, a list, a watch";
    EXPECT_TRUE(sees_a_new_pod(*source));
    EXPECT_TRUE(up(*source)) << problem(*source);
  }
}

TEST_F(MetadataSourceTest, AWatchWhoseTimeIsOverGoesOnWhereItWas) {
  const auto source = watching();
  ASSERT_TRUE(sees_a_new_pod(*source));
  api_.send_to_watches(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"77"}}})");
  std::this_thread::sleep_for(200ms);
  api_.end_watches();
  EXPECT_TRUE(eventually([&] {
    return api_.last_query("/api/v1/pods").find("resourceVersion=77") != std::string::npos;
  })) << "the bookmark's version: "
      << api_.last_query("/api/v1/pods");
  EXPECT_TRUE(up(*source));
}

TEST_F(MetadataSourceTest, ABrokenWatchIsResumed) {
  const auto source = watching();
  ASSERT_TRUE(sees_a_new_pod(*source));
  api_.break_watches();
  api_.remove_pod("new");
  EXPECT_TRUE(eventually([&] { return !has_pod(*source, "new"); }));
  EXPECT_TRUE(eventually([&] { return up(*source); }));
}

TEST_F(MetadataSourceTest, NonsenseInAWatchIsAnErrorAndIsRecoveredFrom) {
  const auto source = watching();
  for (const std::string line :
       {"{\"type\":\"ADDED\",", "[]", "{\"type\":\"DANCED\",\"object\":{}}",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}",
        "{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"etcd is away\"}}"}) {
    const int before = api_.requests("/api/v1/pods");
    api_.send_to_watches(line);  // the server doesn't end the watch: we do
    EXPECT_TRUE(eventually([&] { return api_.requests("/api/v1/pods") >= before + 2; })) << line;
    EXPECT_TRUE(eventually([&] { return up(*source); })) << line;
    EXPECT_TRUE(has_pod(*source, "u1"));
  }
}

class StatusTest : public MetadataSourceTest, public testing::WithParamInterface<int> {};

TEST_P(StatusTest, KeepsTheLastGoodNamesSaysWhyAndComesBack) {
  const auto source = watching();
  const auto metadata = source->current()->metadata;
  api_.fail_with(GetParam());
  api_.end_watches();
  ASSERT_TRUE(eventually([&] { return !up(*source); }));
  EXPECT_NE(problem(*source).find("HTTP " + std::to_string(GetParam())), std::string::npos);
  EXPECT_NE(problem(*source).find("as told"), std::string::npos);
  EXPECT_EQ(*source->current()->metadata, *metadata);
  EXPECT_TRUE(source->current()->sources.front().last_success) << "how old the names are";
  api_.fail_with(0);
  EXPECT_TRUE(eventually([&] { return up(*source); }));
  bool counted = false;
  const auto now = source->current();
  for (const auto& [key, count] : now->requests.front().requests) {
    counted = counted || std::get<2>(key) == std::to_string(GetParam());
  }
  EXPECT_TRUE(counted);
}
INSTANTIATE_TEST_SUITE_P(EachOf, StatusTest, testing::Values(401, 403, 404, 429, 500, 503, 504));

TEST_F(MetadataSourceTest, AForbiddenResourceCostsItsOwnNamesOnly) {
  api_.answer_with("/api/v1/persistentvolumes/", 403,
                   R"({"message":"persistentvolumes \"pv-1\" is forbidden"})");
  MetadataSource source(options());
  source.wait_first(5s);
  ASSERT_TRUE(eventually([&] { return has_pod(source, "u1"); }));
  EXPECT_TRUE(source.current()->metadata->claims.contains({"shop", "data"}));
  EXPECT_FALSE(up(source));
  EXPECT_NE(problem(source).find("\"pv-1\" is forbidden (needs \"get\" on persistentvolumes)"),
            std::string::npos)
      << problem(source);
  EXPECT_TRUE(source.current()->pods_up) << "new pods are still heard of";
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(api_.requests("/api/v1/persistentvolumes/"), 1) << "no use in asking again and again";
}

TEST_F(MetadataSourceTest, AWatchThatIsRefusedStaysAProblemWhileListsSucceed) {
  api_.refuse_watches(403);
  MetadataSource source(options());
  ASSERT_TRUE(eventually([&] { return has_pod(source, "u1") && !up(source); }));
  for (int i = 0; i < 40; ++i) {
    std::this_thread::sleep_for(10ms);
    ASSERT_FALSE(up(source)) << "no flapping between a list and the next watch";
  }
  EXPECT_NE(problem(source).find("needs \"watch\" on pods"), std::string::npos);
  api_.refuse_watches(0);
  EXPECT_TRUE(eventually([&] { return up(source); }));
}

TEST_F(MetadataSourceTest, AClaimRecreatedForANewPodIsAskedForAgain) {
  MetadataOptions slow = options();
  slow.objects.claim_refresh = Seconds(3600);
  const auto source = watching(slow);
  put_claim(api_, {"shop", "data", "pv-2", "1Gi"});
  api_.set_pod("u2", pod_json("shop", "web", "u2", claim_volume_json("d", "data")));
  api_.remove_pod("u1");
  EXPECT_TRUE(eventually([&] {
    const auto metadata = source->current()->metadata;
    const auto claim = metadata->claims.find({"shop", "data"});
    return claim != metadata->claims.end() && claim->second.persistent_volume == "pv-2";
  }));
}

TEST_F(MetadataSourceTest, AFailureEndsWithTheObjectThatFailed) {
  api_.answer_with("/api/v1/persistentvolumes/", 403, "{}");
  const auto source = std::make_unique<MetadataSource>(options());
  ASSERT_TRUE(eventually([&] { return has_pod(*source, "u1") && !up(*source); }));
  api_.remove_pod("u1");
  EXPECT_TRUE(eventually([&] { return up(*source); })) << problem(*source);
}

TEST_F(MetadataSourceTest, WaitsAsLongAsTheServerAsks) {
  api_.answer_with("/api/v1/pods", 429, R"({"message":"slow down"})", "1");
  expect_a_pause();
}

TEST_F(MetadataSourceTest, A504SaysInItsBodyHowLongToWait) {
  api_.answer_with("/api/v1/pods", 504,
                   R"({"message":"Too large resource version","details":{"retryAfterSeconds":1}})");
  expect_a_pause();
}

TEST_F(MetadataSourceTest, BacksOffFromAServerThatFails) {
  api_.fail_with(503);
  MetadataOptions slow = options();
  slow.pods.backoff_unit = Seconds(0.1);
  MetadataSource source(slow);
  std::this_thread::sleep_for(2s);
  // 0.1 + 0.2 + 0.4 + 0.8 s, give or take a fifth.
  EXPECT_GE(api_.requests(), 4);
  EXPECT_LE(api_.requests(), 6);
}

TEST_F(MetadataSourceTest, AClaimThatIsGoneLeavesAndOneThatChangesIsSeen) {
  const auto source = watching();
  put_claim(api_, {"shop", "data", "pv-1", "2Gi"});
  EXPECT_TRUE(eventually([&] {
    return source->current()->metadata->claims.at({"shop", "data"}).claim.requested_bytes ==
           2U << 30U;
  }));
  api_.remove("/api/v1/namespaces/shop/persistentvolumeclaims/data");
  EXPECT_TRUE(eventually([&] { return source->current()->metadata->claims.empty(); }));
  EXPECT_TRUE(up(*source)) << "a 404 is an answer: " << problem(*source);
}

// PersistentVolumes are asked for once an hour; and more often while their claim's request waits.
TEST_F(MetadataSourceTest, AnExpansionIsFollowedOnItsPersistentVolume) {
  MetadataOptions fast = options();
  fast.objects.growing_refresh = Seconds(0.1);
  const auto source = watching(fast);
  const auto capacity = [&]() -> std::uint64_t {
    const auto state = source->current();
    const auto& all = state->metadata->persistent_volumes;
    const auto it = all.find("pv-1");
    return it == all.end() ? 0 : it->second.capacity_bytes.value_or(0);
  };
  ASSERT_TRUE(eventually([&] { return capacity() == 1U << 30; }));
  const int before = api_.requests("/api/v1/persistentvolumes/pv-1");
  test::ClaimSpec spec{"shop", "data", "pv-1", "2Gi"};
  spec.capacity = "1Gi";
  put_claim(api_, spec);
  EXPECT_TRUE(
      eventually([&] { return api_.requests("/api/v1/persistentvolumes/pv-1") >= before + 3; }));
  spec.capacity = "2Gi";
  put_claim(api_, spec);
  EXPECT_TRUE(eventually([&] { return capacity() == 2ULL << 30; }));
}

TEST_F(MetadataSourceTest, AnnotationsForVolumeterAreKeptAndNoOthers) {
  api_.put("/api/v1/namespaces/shop",
           R"({"metadata":{"name":"shop","annotations":{"volumeter.io/probe":"on","x":"y"}}})");
  const auto source = watching();
  ASSERT_TRUE(eventually([&] { return !source->current()->metadata->namespaces.empty(); }));
  EXPECT_EQ(source->current()->metadata->namespaces.at("shop").annotations,
            (Annotations{{"volumeter.io/probe", "on"}}));
}

TEST_F(MetadataSourceTest, SendsTheTokenAndReadsItAgainWhenRotated) {
  const std::string path = testing::TempDir() + "/token";
  std::ofstream(path) << "first\n";
  api_.require_token("first");
  MetadataOptions with_token = options();
  with_token.api.token_file = path;
  const auto source = watching(with_token);
  api_.require_token("second");
  api_.end_watches();
  EXPECT_TRUE(eventually([&] { return !up(*source); }));
  EXPECT_NE(problem(*source).find("is the token valid?"), std::string::npos);
  std::ofstream(path) << "second\n";
  EXPECT_TRUE(eventually([&] { return up(*source); }));
  std::remove(path.c_str());
}

TEST_F(MetadataSourceTest, AMissingTokenFileIsNamedAndNothingIsSent) {
  MetadataOptions with_token = options();
  with_token.api.token_file = "/nonexistent/token";
  MetadataSource source(with_token);
  source.wait_first(5s);
  ASSERT_FALSE(up(source));
  EXPECT_NE(problem(source).find("/nonexistent/token"), std::string::npos);
  EXPECT_EQ(api_.requests(), 0);
}

TEST_F(MetadataSourceTest, HugeAnswersAndEventsAreRefused) {
  MetadataOptions limited = options();
  limited.api.response_limit = 10;
  MetadataSource source(limited);
  source.wait_first(5s);
  ASSERT_FALSE(up(source));
  EXPECT_NE(problem(source).find("longer than the allowed 10 bytes"), std::string::npos);

  MetadataOptions short_lines = options();
  short_lines.api.line_limit = 1000;
  const auto watcher = watching(short_lines);
  api_.send_to_watches(std::string(5000, 'x'));
  EXPECT_TRUE(eventually([&] {
    return problem(*watcher).find("longer than the allowed 1000 bytes") != std::string::npos;
  }));
  EXPECT_TRUE(eventually([&] { return up(*watcher); }));
}

TEST_F(MetadataSourceTest, ATruncatedAnswerIsNoAnswer) {
  api_.cut(true);
  MetadataSource source(options());
  source.wait_first(5s);
  ASSERT_FALSE(up(source));
  EXPECT_TRUE(source.current()->metadata->pods.empty());
  api_.cut(false);
  EXPECT_TRUE(eventually([&] { return up(source) && has_pod(source, "u1"); }));
}

TEST_F(MetadataSourceTest, LongAnswersComeCompressed) {
  for (int i = 0; i < 500; ++i) {
    const std::string uid = "uid-" + std::to_string(i);
    api_.set_pod(uid, pod_json("shop", "pod", uid, R"({"name":"tmp","emptyDir":{}})"));
  }
  const auto source = watching();
  EXPECT_EQ(source->current()->metadata->pods.size(), 501U);
  EXPECT_LT(source->current()->requests.front().received_bytes, 20000U) << "of about 80,000";
}

TEST_F(MetadataSourceTest, EndsWithoutWaitingForTheServer) {
  api_.delay(1h);
  {
    MetadataSource source(options());
    ASSERT_TRUE(eventually([&] { return api_.requests() == 1; }));
  }
  api_.delay(0ms);
}

}  // namespace
}  // namespace volumeter
