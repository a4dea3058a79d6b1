#include "bench/alerts/firing.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/alerts/openmetrics.h"
#include "bench/support.h"

namespace volumeter::backtest {
namespace {

// So much a query: the answer comes within http_get's patience.
constexpr std::int64_t kChunk = kDay / 2;

using ClaimIndex = std::map<std::pair<std::string, std::string>, std::size_t>;

ClaimIndex index_of(const std::vector<Claim>& claims) {
  ClaimIndex index;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    index[{claims[i].name_space, claims[i].name}] = i;
  }
  return index;
}

std::vector<std::vector<bool>> active_steps(const std::string& expr, const Cluster& cluster,
                                            const History& history) {
  const int steps = cluster.setting.steps();
  const ClaimIndex index = index_of(cluster.claims);
  std::vector<std::vector<bool>> active(cluster.claims.size(), std::vector<bool>(steps));
  for (std::int64_t from = 0; from < cluster.setting.end(); from += kChunk) {
    const std::int64_t until = std::min(from + kChunk, cluster.setting.end()) - 1;
    for (const auto& series : history.range(expr, kEpoch + from, kEpoch + until)) {
      const auto& labels = series["metric"];
      auto& mine = active[index.at({labels.at("namespace"), labels.at("persistentvolumeclaim")})];
      for (const auto& point : series["values"]) {
        mine[static_cast<int>((point[0].get<double>() - kEpoch) / kStep)] = true;
      }
    }
  }
  return active;
}

}  // namespace

std::vector<Firing> firings_of(const Alert& alert, const std::vector<bool>& active) {
  std::vector<Firing> firings;
  const int steps = static_cast<int>(active.size());
  for (int i = 0; i < steps; ++i) {
    if (!active[i]) continue;
    int last = i;
    while (last + 1 < steps && active[last + 1]) ++last;
    const std::int64_t begin = i * kStep;
    const std::int64_t end = (last + 1) * kStep;
    if (!firings.empty() && begin < firings.back().end) {
      firings.back().end = end + alert.keep;  // it never ended
    } else if (begin + alert.hold < end) {
      firings.push_back({begin + alert.hold, end + alert.keep, 0});
    }
    i = last;
  }
  return firings;
}

Firings evaluate(const Policy& policy, const Cluster& cluster, const History& history) {
  Firings all(cluster.claims.size());
  const int count = static_cast<int>(policy.alerts.size());
  for (int which = 0; which < count; ++which) {
    bench::progress(policy.name.c_str(), which, count);
    const auto active = active_steps(policy.alerts[which].expr, cluster, history);
    for (std::size_t i = 0; i < active.size(); ++i) {
      for (Firing firing : firings_of(policy.alerts[which], active[i])) {
        firing.begin += std::llround(history.offset());
        firing.end += std::llround(history.offset());
        firing.alert = which;
        all[i].push_back(firing);
      }
    }
  }
  bench::progress(policy.name.c_str(), count, count);
  return all;
}

}  // namespace volumeter::backtest
