// Nodes that the code was not fitted to: what the inventory says of them is what they were made of.
#include "support/generated_node.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "collect/observer.h"
#include "inventory/mount_index.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

using test::Expected;
using test::GeneratedNode;

std::string number(DeviceNumber device) {
  return std::to_string(device.major) + ":" + std::to_string(device.minor);
}

std::vector<Expected> seen(const Inventory& inventory) {
  std::vector<Expected> all;
  for (const Volume& volume : inventory.volumes) {
    Expected e;
    e.uid = inventory.pods[volume.pod].uid;
    e.name = volume.name;
    e.kind = to_string(volume.kind);
    e.mode = to_string(volume.mode);
    if (volume.claim) {
      const Claim& claim = inventory.claims[*volume.claim];
      e.claim = claim.namespace_ + "/" + claim.name;
      e.requested = claim.requested_bytes.value_or(0);
    }
    e.persistent_volume = volume.persistent_volume;
    e.mounted = volume.mounted;
    e.shares = volume.shares_filesystem;
    if (volume.target) {
      const Target& target = inventory.targets[*volume.target];
      e.target = number(target.device) + " " + target.root;
    }
    e.device = volume.device;
    all.push_back(e);
  }
  std::sort(all.begin(), all.end());
  return all;
}

// The first few differences, readable.
std::string difference(const std::vector<Expected>& expected, const std::vector<Expected>& seen) {
  std::vector<Expected> missing;
  std::vector<Expected> extra;
  std::set_difference(expected.begin(), expected.end(), seen.begin(), seen.end(),
                      std::back_inserter(missing));
  std::set_difference(seen.begin(), seen.end(), expected.begin(), expected.end(),
                      std::back_inserter(extra));
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(5, missing.size()); ++i) {
    text += "missing: " + to_string(missing[i]) + "\n";
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(5, extra.size()); ++i) {
    text += "extra:   " + to_string(extra[i]) + "\n";
  }
  return text;
}

InventoryInput look(const GeneratedNode& node) {
  node.write_tables();
  const HostPaths host = node.host();
  InventoryInput input;
  const ParsedMounts mounts = parse_mountinfo(read_mountinfo(host).value());
  EXPECT_EQ(mounts.bad_lines, 0U);
  input.mounts = mounts.table;
  const std::string root = host.kubelet.empty() ? find_kubelet_root(input.mounts) : host.kubelet;
  input.kubelet = KubeletScanner().scan(host, root).value();
  EXPECT_TRUE(input.kubelet.problems.empty()) << input.kubelet.problems.front();
  input.metadata = node.metadata();
  input.pod_logs = scan_pod_logs(host).value();
  input.devices = BlockDeviceReader(host).read().value();
  return input;
}

void expect_sound(const Inventory& inventory) {
  std::set<std::vector<std::string>> labels;
  std::set<std::size_t> claims;
  for (const Subject& subject : inventory.subjects) {
    EXPECT_TRUE(labels.insert(*subject.labels).second) << subject.labels->at(1);
    if (subject.claim) {
      EXPECT_TRUE(claims.insert(*subject.claim).second);
    }
  }
  EXPECT_EQ(claims.size(), inventory.claims.size()) << "each claim is one subject";
  std::set<std::pair<DeviceNumber, std::string>> targets;
  for (const Target& target : inventory.targets) {
    EXPECT_TRUE(targets.emplace(target.device, target.root).second) << "measured once";
  }
}

struct Distribution {
  const char* name;
  const char* root;
  const char* link;
};

class GeneratedNodeTest : public testing::TestWithParam<Distribution> {};

TEST_P(GeneratedNodeTest, TheInventoryIsWhatWasGenerated) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    GeneratedNode node({seed, GetParam().root, GetParam().link, 50});
    node.add_pods_until_claims(12);
    InventoryInput input = look(node);
    const auto inventory = build_inventory(input);
    EXPECT_EQ(difference(node.expected(), seen(*inventory)), "");
    expect_sound(*inventory);

    input.metadata = {};
    const auto nameless = build_inventory(input);
    std::set<std::string> with_names;
    std::set<std::string> without;
    // A hostPath is found by its pod's spec alone.
    for (const Expected& e : seen(*inventory)) {
      if (e.kind != "hostPath") with_names.insert(e.target);
    }
    for (const Expected& e : seen(*nameless)) without.insert(e.target);
    EXPECT_EQ(with_names, without) << "without names the numbers are the same";
    expect_sound(*nameless);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Roots, GeneratedNodeTest,
    testing::Values(Distribution{"kubeadm", "/var/lib/kubelet", ""},
                    Distribution{"k3s", "/var/lib/rancher/k3s/agent/kubelet", ""},
                    Distribution{"k0s", "/var/lib/k0s/kubelet", ""},
                    Distribution{"microk8s", "/var/snap/microk8s/common/var/lib/kubelet", ""},
                    Distribution{"microk8s_link", "/var/snap/microk8s/common/var/lib/kubelet",
                                 "/var/lib/kubelet"},
                    Distribution{"moved", "/data disk/kubelet", "/var/lib/kubelet"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(GeneratedNodes, ThreeHundredClaimsAndTenThousandMounts) {
  GeneratedNode node({7, "/var/lib/kubelet", "", 9500});
  node.add_pods_until_claims(300);
  const InventoryInput input = look(node);
  EXPECT_GE(input.mounts.size(), 9900U);
  const auto inventory = build_inventory(input);
  EXPECT_EQ(difference(node.expected(), seen(*inventory)), "");
  EXPECT_GE(inventory->claims.size(), 300U);
  expect_sound(*inventory);
}

// The observer keeps what hasn't changed: after any number of pods that come and go it must see
// what one that starts fresh sees.
TEST(GeneratedNodes, PodsThatChurnLeaveNothingBehind) {
  GeneratedNode node({11, "/var/lib/kubelet", "", 50});
  MetadataSource no_names({});
  node.add_pods_until_claims(10);
  node.write_tables();
  Observer observer(node.host(), no_names, false);
  observer.observe();
  std::mt19937 random(11);
  for (int step = 0; step < 100; ++step) {
    const auto pods = node.pods();
    if (pods.size() > 3 && step % 2 == 0) {
      node.remove_pod(pods[std::uniform_int_distribution<std::size_t>(0, pods.size() - 1)(random)]);
    } else {
      node.add_pod();
    }
    node.write_tables();
    observer.observe();
    Observer fresh(node.host(), no_names, false);
    fresh.observe();
    ASSERT_EQ(difference(seen(*fresh.inventory()), seen(*observer.inventory())), "") << step;
  }
}

}  // namespace
}  // namespace volumeter
