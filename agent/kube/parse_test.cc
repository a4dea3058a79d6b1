#include "kube/parse.h"

#include <gtest/gtest.h>

#include "kube/kubelet_health.h"
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
  const auto pg = std::find_if(pods->pods.begin(), pods->pods.end(),
                               [](const PodMetadata& pod) { return pod.pod.name == "pg-0"; });
  ASSERT_NE(pg, pods->pods.end());
  EXPECT_EQ(pg->pod.owner_kind, "StatefulSet");
  EXPECT_EQ(pg->pod.ordinal, 0);
  EXPECT_EQ(pg->volumes[0].claim_name, "data-pg-0");
  const auto multi = std::find_if(pods->pods.begin(), pods->pods.end(),
                                  [](const PodMetadata& pod) { return pod.pod.name == "multi"; });
  ASSERT_NE(multi, pods->pods.end());
  EXPECT_EQ(multi->volumes[0].claim_name, "multi-scratch") << "a generic ephemeral volume's claim";
}

TEST(Pods, BadJsonIsAnErrorThatSaysWhatIsWrong) {
  EXPECT_NE(parse_pod_list("{").error().message.find("not valid JSON"), std::string::npos);
  EXPECT_NE(parse_pod_list("[]").error().message.find("not a JSON object"), std::string::npos);
  EXPECT_NE(parse_pod_list(R"({"items":3})").error().message.find("items"), std::string::npos);
  EXPECT_NE(parse_pod_list(R"({"items":[{}]})").error().message.find("metadata.uid"),
            std::string::npos);
  EXPECT_TRUE(parse_pod_list(R"({"items":null})")->pods.empty());
}

TEST(Pods, WrongTypesInsideLeaveDefaults) {
  const auto pods = parse_pod_list(
      R"({"items":[{"metadata":{"uid":"u","name":7,"ownerReferences":"x"},"spec":{"volumes":[)"
      R"(3,{"name":"v","emptyDir":[]}]},"status":null}]})");
  ASSERT_TRUE(pods);
  EXPECT_EQ(pods->pods[0].pod.name, "");
  EXPECT_EQ(pods->pods[0].volumes.size(), 2U);
}

TEST(Pods, AStaticPodIsKnownByItsMirrorHash) {
  const auto pods = parse_pod_list(R"({"items":[{"metadata":{"uid":"api-uid","annotations":)"
                                   R"({"kubernetes.io/config.mirror":"hash"}}}]})");
  EXPECT_EQ(pods->pods[0].pod.uid, "hash");
}

Pod pod_of(const std::string& owner_kind, const std::string& owner_name, const std::string& hash) {
  const auto pods = parse_pod_list(
      R"({"items":[{"metadata":{"uid":"u","name":"web-5d9c7-x2x7k","labels":{"pod-template-hash":")" +
      hash + R"("},"ownerReferences":[{"kind":")" + owner_kind + R"(","name":")" + owner_name +
      R"(","controller":true}]}}]})");
  return pods->pods.at(0).pod;
}

TEST(Pods, ADeploymentStandsBehindItsReplicaSet) {
  EXPECT_EQ(pod_of("ReplicaSet", "web-5d9c7", "5d9c7").owner_kind, "Deployment");
  EXPECT_EQ(pod_of("ReplicaSet", "web-5d9c7", "5d9c7").owner_name, "web");
  EXPECT_EQ(pod_of("ReplicaSet", "web-5d9c7", "").owner_kind, "ReplicaSet") << "one of its own";
  EXPECT_EQ(pod_of("ReplicaSet", "-5d9c7", "5d9c7").owner_kind, "ReplicaSet");
  EXPECT_EQ(pod_of("Job", "backup-28", "28").owner_kind, "Job");
  EXPECT_EQ(pod_of("Job", "backup-28", "28").owner_name, "backup-28");
}

// kubernetes: component-helpers/resource, PodLimits, whose own test cases these are in spirit.
TEST(Pods, EphemeralStorageIsLimitedByTheSumOfItsContainers) {
  const auto limit_of = [](const std::string& spec) {
    const auto pods =
        parse_pod_list(R"({"items":[{"metadata":{"uid":"u"},"spec":{)" + spec + "}}]}");
    return pods.value().pods.front().ephemeral_storage_limit;
  };
  const auto container = [](const std::string& storage, const std::string& more = "") {
    return R"({"resources":{"limits":{"ephemeral-storage":")" + storage + "\"}}" + more + "}";
  };
  const std::string sidecar = R"(,"restartPolicy":"Always")";
  EXPECT_EQ(limit_of(R"("containers":[{}])"), std::nullopt);
  EXPECT_EQ(limit_of(R"("containers":[)" + container("1Gi") + ",{}," + container("1Gi") + "]"),
            2ULL << 30U);
  EXPECT_EQ(limit_of(R"("containers":[)" + container("1Ki") + R"(],"initContainers":[)" +
                     container("4Ki") + "]"),
            4096U)
      << "an init container runs alone";
  EXPECT_EQ(limit_of(R"("containers":[)" + container("1Ki") + R"(],"initContainers":[)" +
                     container("2Ki", sidecar) + "," + container("4Ki") + "]"),
            6144U)
      << "but for the sidecars before it";
  EXPECT_EQ(limit_of(R"("containers":[)" + container("1Ki") + R"(],"initContainers":[)" +
                     container("2Ki", sidecar) + R"(],"overhead":{"ephemeral-storage":"1Ki"})"),
            4096U);
  EXPECT_EQ(limit_of(R"("containers":7,"initContainers":"x")"), std::nullopt);
}

TEST(Pods, RunningContainersAreKnownByTheirIds) {
  const auto pods =
      parse_pod_list(R"({"items":[{"metadata":{"uid":"u"},"status":{"containerStatuses":[)"
                     R"({"containerID":"containerd://aa","state":{"running":{}}},)"
                     R"({"containerID":"containerd://bb","state":{"terminated":{}}},)"
                     R"({"containerID":"","state":{"waiting":{}}}],"initContainerStatuses":[)"
                     R"({"containerID":"cri-o://cc","state":{"running":{}}}]}}]})");
  EXPECT_EQ(pods.value().pods.front().running_containers, (std::vector<std::string>{"cc", "aa"}));
}

TEST(PodEvents, OfARecordedWatch) {
  std::istringstream lines(test::read_fixture("apiserver/watch-pods-node1.jsonl"));
  std::map<std::string, std::string> phases;
  int bookmarks = 0;
  std::string version;
  for (std::string line; std::getline(lines, line);) {
    const auto event = parse_pod_event(line);
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_FALSE(event->resource_version.empty());
    version = event->resource_version;
    const std::string& name = event->pod.pod.name;
    if (event->type == PodEvent::Type::kChanged) phases[name] = event->pod.phase;
    if (event->type == PodEvent::Type::kDeleted) phases.erase(name);
    bookmarks += event->type == PodEvent::Type::kBookmark ? 1 : 0;
  }
  EXPECT_GT(bookmarks, 0);
  EXPECT_FALSE(version.empty());
}

TEST(PodEvents, ATooOldVersionIsToldInTheStream) {
  const auto event = parse_pod_event(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, PodEvent::Type::kError);
  EXPECT_EQ(event->code, 410);
  EXPECT_EQ(event->message, "too old");
}

TEST(Claims, KeepAnnotationsMeantForVolumeter) {
  const auto claim = parse_claim(
      R"({"metadata":{"name":"c","annotations":{"volumeter.io/probe":"on","other":"x","volumeter.io/n":1}}})");
  EXPECT_EQ(claim->claim.annotations, (Annotations{{"volumeter.io/probe", "on"}}));
  const auto excluded =
      parse_claim(R"({"metadata":{"name":"c","labels":{"excluded_from_alerts":"true"}}})");
  EXPECT_EQ(excluded->claim.annotations, (Annotations{{"volumeter.io/alerts", "off"}}));
}

TEST(Claims, SayHowFarAnExpansionIs) {
  const auto claim = parse_claim(R"({"metadata":{"name":"c"},
    "spec":{"resources":{"requests":{"storage":"2Gi"}}},
    "status":{"capacity":{"storage":"1Gi"},"conditions":[
      {"type":"Resizing","status":"True","lastTransitionTime":"2026-11-20T14:16:06Z"},
      {"type":"FileSystemResizePending","status":"False","lastTransitionTime":"2026-11-21T00:00:00Z"},
      {"type":"NodeResizeError","status":"True","message":"somebody else's words"},
      {"type":"Resizing","status":"True","lastTransitionTime":"yesterday"}]}})");
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->claim.requested_bytes, 2ULL << 30);
  EXPECT_EQ(claim->claim.granted_bytes, 1ULL << 30);
  EXPECT_EQ(claim->claim.resizing_since,
            std::chrono::sys_seconds(std::chrono::seconds(1'795'184'166)));
  EXPECT_TRUE(claim->claim.resize_failed);
}

// Recorded: a request that the node has not seen to yet.
TEST(Claims, TheRecordedExpansionIsOver) {
  const auto claim = parse_claim(test::read_fixture("apiserver/phase-pvc-resized.json"));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->claim.requested_bytes, claim->claim.granted_bytes);
  EXPECT_FALSE(claim->claim.resizing_since);
}

TEST(Volumes, WhoWishesThemReadOnly) {
  const auto volume = [](const std::string& spec) {
    return parse_persistent_volume(R"({"metadata":{"name":"v"},"spec":{)" + spec + "}}")->read_only;
  };
  EXPECT_FALSE(volume(R"("csi":{"driver":"d","readOnly":false})"));
  EXPECT_TRUE(volume(R"("csi":{"driver":"d","readOnly":true})"));
  EXPECT_TRUE(volume(R"("nfs":{"server":"s"},"mountOptions":["hard","ro"])"));
  const auto pods = parse_pod_list(R"({"items":[{"metadata":{"uid":"u"},"spec":{"volumes":[
    {"name":"a","persistentVolumeClaim":{"claimName":"c","readOnly":true}},
    {"name":"b","persistentVolumeClaim":{"claimName":"c"}}]}}]})");
  EXPECT_TRUE(pods->pods[0].volumes[0].read_only);
  EXPECT_FALSE(pods->pods[0].volumes[1].read_only);
}

TEST(KubeletMetrics, SayWhichVolumesAreNotWell) {
  const auto all = parse_kubelet_health(
      "# HELP kubelet_volume_stats_health_status_abnormal x\n"
      "kubelet_volume_stats_health_status_abnormal{namespace=\"a\",persistentvolumeclaim=\"x\"} 1\n"
      "kubelet_volume_stats_health_status_abnormal{persistentvolumeclaim=\"y\",namespace=\"a\"} 0\n"
      "kubelet_volume_stats_health_status_abnormal{namespace=\"}\\\"\",persistentvolumeclaim=\"z\"}"
      " 1\n"
      "kubelet_volume_stats_health_status_abnormal{namespace=\"a\"} 1\n"
      "kubelet_volume_stats_health_status_abnormal{namespace=\"a\n"
      "kubelet_volume_stats_health_status_abnormal{} NaN\n"
      "kubelet_volume_stats_used_bytes{namespace=\"a\",persistentvolumeclaim=\"v\"} 1");
  EXPECT_EQ(all, (std::map<ObjectKey, bool>{
                     {{"a", "x"}, true}, {{"a", "y"}, false}, {{"}\"", "z"}, true}}));
}

}  // namespace
}  // namespace volumeter
