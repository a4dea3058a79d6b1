#include "kube/metadata.h"

#include <gtest/gtest.h>

#include "support/recorded_node.h"

namespace volumeter {
namespace {

TEST(Quantity, IsReadAsKubernetesWritesIt) {
  EXPECT_EQ(parse_quantity("40Mi"), 40U << 20U);
  EXPECT_EQ(parse_quantity("1.5Gi"), 1610612736U);
  EXPECT_EQ(parse_quantity("1G"), 1000000000U);
  EXPECT_EQ(parse_quantity("128974848"), 128974848U);
  EXPECT_EQ(parse_quantity("129e6"), 129000000U);
  EXPECT_EQ(parse_quantity("1500m"), 2U) << "rounded up";
  EXPECT_EQ(parse_quantity("0"), 0U);
  EXPECT_EQ(parse_quantity("2Ei"), 2ULL << 60U);
}

TEST(Quantity, NonsenseIsNothing) {
  for (const char* text : {"", "Mi", "-1", "4 Gi", "1Zi", "inf", "nan", "99Ei", "1e999", "12GiB"}) {
    EXPECT_FALSE(parse_quantity(text)) << text;
  }
}

TEST(Pods, OfTheRecordedNode) {
  const auto pods = parse_pod_list(test::read_fixture("recorded-node/pods-node1.json"));
  ASSERT_TRUE(pods);
  const auto pg = std::find_if(pods->begin(), pods->end(),
                               [](const PodMetadata& pod) { return pod.pod.name == "pg-0"; });
  ASSERT_NE(pg, pods->end());
  EXPECT_EQ(pg->pod.owner_kind, "StatefulSet");
  EXPECT_EQ(pg->pod.ordinal, 0);
  EXPECT_EQ(pg->volumes[0].claim_name, "data-pg-0");
  const auto multi = std::find_if(pods->begin(), pods->end(),
                                  [](const PodMetadata& pod) { return pod.pod.name == "multi"; });
  ASSERT_NE(multi, pods->end());
  EXPECT_EQ(multi->volumes[0].claim_name, "multi-scratch") << "a generic ephemeral volume's claim";
}

TEST(Pods, BadJsonIsAnErrorThatSaysWhatIsWrong) {
  EXPECT_NE(parse_pod_list("{").error().message.find("not valid JSON"), std::string::npos);
  EXPECT_NE(parse_pod_list("[]").error().message.find("not a JSON object"), std::string::npos);
  EXPECT_NE(parse_pod_list(R"({"items":3})").error().message.find("items"), std::string::npos);
  EXPECT_NE(parse_pod_list(R"({"items":[{}]})").error().message.find("metadata.uid"),
            std::string::npos);
  EXPECT_TRUE(parse_pod_list(R"({"items":null})")->empty());
}

TEST(Pods, WrongTypesInsideLeaveDefaults) {
  const auto pods = parse_pod_list(
      R"({"items":[{"metadata":{"uid":"u","name":7,"ownerReferences":"x"},"spec":{"volumes":[)"
      R"(3,{"name":"v","emptyDir":[]}]},"status":null}]})");
  ASSERT_TRUE(pods);
  EXPECT_EQ((*pods)[0].pod.name, "");
  EXPECT_EQ((*pods)[0].volumes.size(), 2U);
}

TEST(Pods, AStaticPodIsKnownByItsMirrorHash) {
  const auto pods = parse_pod_list(R"({"items":[{"metadata":{"uid":"api-uid","annotations":)"
                                   R"({"kubernetes.io/config.mirror":"hash"}}}]})");
  EXPECT_EQ((*pods)[0].pod.uid, "hash");
}

}  // namespace
}  // namespace volumeter
