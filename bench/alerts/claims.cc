#include "bench/alerts/claims.h"

#include <algorithm>
#include <cmath>

#include "bench/alerts/kinds.h"

namespace volumeter::backtest {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kBlock = 4096;

double size_of(Rng& rng) {
  constexpr std::array<double, 13> kSizes{1, 2, 5, 8, 10, 20, 50, 100, 200, 500, 1024, 2048, 4096};
  std::discrete_distribution<int> which{5, 5, 8, 6, 14, 12, 12, 12, 9, 8, 5, 3, 1};
  return kSizes[which(rng)] * kGiB;
}

// The shares are met for any number of claims, and the kinds don't change with the seed.
Kind kind_of(int index, int claims) {
  const double place = (index + 0.5) / claims * 1000;
  int below = 0;
  for (const KindInfo& kind : kKinds) {
    below += kind.share;
    if (place < below) return kind.kind;
  }
  return kKinds.back().kind;
}

void name(Claim& claim, int index, Rng& rng, int nodes) {
  claim.name_space = "team-" + std::to_string(index % 23);
  claim.name = "data-app-" + std::to_string(index);
  claim.nodes = {static_cast<int>(between(rng, 0, nodes))};
  const bool shared = chance(rng, 0.05);
  if (shared) claim.nodes.push_back((claim.nodes[0] + 1) % nodes);
  claim.storageclass = shared ? "cephfs" : "fast";
  claim.csi_driver = shared ? "cephfs.csi.ceph.com" : "ebs.csi.aws.com";
  claim.fstype = shared ? "ceph" : "ext4";
}

Claim make_claim(const Setting& setting, int index, int nodes) {
  std::seed_seq seed{setting.seed, static_cast<std::uint64_t>(index)};
  Rng rng(seed);
  Claim claim;
  claim.kind = kind_of(index, setting.claims);
  name(claim, index, rng, nodes);
  const double size = size_of(rng);
  Life life = live_as(claim.kind, rng, setting.steps());
  claim.fill_ups = std::move(life.fill_ups);
  for (int i = 0; i < setting.steps(); ++i) {
    claim.used.push_back(std::floor(life.used[i] * size / kBlock) * kBlock);
    claim.capacity.push_back(life.capacity[i] * size);
  }
  return claim;
}

// One node in five has its agent away for ten minutes to an hour, once or twice.
std::vector<Gap> gaps_of(Rng& rng, int steps) {
  std::vector<Gap> gaps;
  if (!chance(rng, 0.2)) return gaps;
  for (int i = chance(rng, 0.5) ? 2 : 1; i > 0; --i) {
    const int from = static_cast<int>(between(rng, 0, steps));
    gaps.push_back({from, from + static_cast<int>(between(rng, 2, 13))});
  }
  return gaps;
}

}  // namespace

const KindInfo& info(Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

Cluster make_cluster(const Setting& setting) {
  Cluster cluster;
  cluster.setting = setting;
  const int nodes = std::max(2, setting.claims / 20);
  for (int i = 0; i < setting.claims; ++i) {
    cluster.claims.push_back(make_claim(setting, i, nodes));
  }
  Rng rng(setting.seed);
  for (int i = 0; i < nodes; ++i) cluster.gaps.push_back(gaps_of(rng, setting.steps()));
  return cluster;
}

}  // namespace volumeter::backtest
