// Which node walks a share, decided over real HTTP.
#include "kube/walk_leases.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/metadata_source.h"
#include "support/api_server.h"
#include "support/process.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

const ObjectKey kClaim{"shop", "reports"};

struct NodeAgent {
  explicit NodeAgent(const test::ApiServer& server, const std::string& name)
      : api(loop, options(server)),
        leases(api, {"volumeter", name, 2s, Seconds(0.2), Seconds(0.1)}) {
    leases.want({kClaim});
  }
  static ApiOptions options(const test::ApiServer& server) {
    ApiOptions options;
    options.source = "apiserver";
    options.url = server.url();
    return options;
  }
  void step() {
    leases.start_due(WalkLeases::Clock::now());
    loop.run(5ms);
  }
  [[nodiscard]] bool holds() const { return leases.held().contains(kClaim); }

  RequestLoop loop;
  ApiClient api;
  WalkLeases leases;
};

std::string path() {
  return "/apis/coordination.k8s.io/v1/namespaces/volumeter/leases/" + WalkLeases::name_of(kClaim);
}

bool step_until(const std::vector<NodeAgent*>& nodes, const std::function<bool()>& done,
                std::chrono::milliseconds limit = 20s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done() && std::chrono::steady_clock::now() < end) {
    for (NodeAgent* node : nodes) node->step();
  }
  return done();
}

TEST(WalkLeases, OneNodeHoldsItAndAnotherTakesOverWhenItIsGone) {
  const test::ApiServer server;
  auto a = std::make_unique<NodeAgent>(server, "node-a");
  NodeAgent b(server, "node-b");
  EXPECT_FALSE(a->holds());
  ASSERT_TRUE(step_until({a.get()}, [&] { return a->holds(); }));
  const auto lease = nlohmann::json::parse(server.object(path()));
  EXPECT_EQ(lease["spec"]["holderIdentity"], "node-a");
  EXPECT_EQ(lease["spec"]["leaseDurationSeconds"], 2);
  EXPECT_EQ(lease["metadata"]["annotations"]["volumeter.io/claim"], "shop/reports");
  // Longer than the lease lasts: it is renewed, and never both hold it.
  EXPECT_FALSE(step_until(
      {a.get(), &b}, [&] { return b.holds() || !a->holds(); }, 4s));
  a.reset();
  EXPECT_TRUE(step_until({&b}, [&] { return b.holds(); }));
  EXPECT_EQ(nlohmann::json::parse(server.object(path()))["spec"]["leaseTransitions"], 1);
}

TEST(WalkLeases, OfManyThatStartTogetherOneHoldsIt) {
  const test::ApiServer server;
  std::vector<std::unique_ptr<NodeAgent>> nodes;
  std::vector<NodeAgent*> all;
  for (int i = 0; i < 8; ++i) {
    nodes.push_back(std::make_unique<NodeAgent>(server, "node-" + std::to_string(i)));
    all.push_back(nodes.back().get());
  }
  const auto holders = [&] {
    return std::count_if(all.begin(), all.end(),
                         [](const NodeAgent* node) { return node->holds(); });
  };
  ASSERT_TRUE(step_until(all, [&] { return holders() > 0; }));
  EXPECT_FALSE(step_until(
      all, [&] { return holders() != 1; }, 2s));
}

TEST(WalkLeases, WithoutTheRightNobodyHoldsItAndTheReasonIsNamed) {
  test::ApiServer server;
  server.fail_with(403);
  NodeAgent a(server, "node-a");
  ASSERT_TRUE(step_until({&a}, [&] { return !a.leases.problem().empty(); }));
  EXPECT_NE(a.leases.problem().find("needs \"get\" on leases"), std::string::npos)
      << a.leases.problem();
  EXPECT_FALSE(a.holds());
  server.fail_with(0);
  EXPECT_TRUE(step_until({&a}, [&] { return a.holds(); }));
  EXPECT_EQ(a.leases.problem(), "");
  a.leases.want({});
  EXPECT_FALSE(a.holds()) << "no pod of this node uses the claim any more";
}

TEST(WalkLeases, ALeaseThatMakesNoSenseIsNotTaken) {
  test::ApiServer server;
  server.put(path(), R"({"spec":{"holderIdentity":"node-x","leaseDurationSeconds":"long")");
  NodeAgent a(server, "node-a");
  EXPECT_TRUE(step_until({&a}, [&] { return !a.leases.problem().empty(); }));
  EXPECT_FALSE(a.holds());
}

// A pod that has ended keeps its claim and walks nothing: another node must get the Lease.
TEST(WalkLeases, OnlyRunningPodsWantOne) {
  test::ApiServer server;
  for (const char* name : {"live", "done"}) {
    test::ClaimSpec claim{"shop", name, std::string("pv-") + name, "1Gi"};
    claim.access_mode = "ReadWriteMany";
    claim.annotations_json = R"("volumeter.io/walk":"on")";
    put_claim(server, claim);
    std::string pod = test::pod_json("shop", name, name, test::claim_volume_json("v", name));
    if (std::string(name) == "done") pod.replace(pod.find("Running"), 7, "Succeeded");
    server.set_pod(name, pod);
  }
  MetadataOptions options;
  options.api.url = server.url();
  options.leases = {"volumeter", "node-a"};
  const MetadataSource source(options);
  const auto lease = [&](const char* name) {
    return server.object("/apis/coordination.k8s.io/v1/namespaces/volumeter/leases/" +
                         WalkLeases::name_of({"shop", name}));
  };
  ASSERT_TRUE(test::eventually([&] {
    const auto state = source.current();
    return state && state->metadata->walked_here.contains({"shop", "live"});
  }));
  EXPECT_NE(lease("live"), "");
  EXPECT_EQ(lease("done"), "");
}

}  // namespace
}  // namespace volumeter
