#include "volumeter/workload.h"

#include <algorithm>
#include <array>

namespace volumeter {
namespace {

constexpr std::array<WorkloadRule, 4> kRules = {{
    {"etcd", "WAL sync", 0.99, 0.010, true,
     "etcd.io, Hardware recommendations: 99th percentile of fdatasync below 10 ms", 500},
    {"etcd", "backend commit", 0.99, 0.025, true,
     "etcd.io, FAQ: 99th percentile of backend_commit_duration_seconds below 25 ms", 500},
    {"postgresql", "WAL sync", 0.99, 0.025, false,
     "PostgreSQL states no threshold; each commit waits for one sync of the WAL", 500},
    {"redis", "AOF sync", 1, 2, true,
     "redis.io, Diagnosing latency issues: with appendfsync everysec a sync of more than two "
     "seconds delays writes",
     30},
}};

}  // namespace

std::span<const WorkloadRule> workload_rules() { return kRules; }

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const WorkloadRule& rule : kRules) {
    if (names.empty() || names.back() != rule.workload) names.emplace_back(rule.workload);
  }
  return names;
}

const WorkloadRule* first_rule(std::string_view workload) {
  const auto* it = std::find_if(kRules.begin(), kRules.end(), [&](const WorkloadRule& rule) {
    return rule.workload == workload;
  });
  return it == kRules.end() ? nullptr : it;
}

std::string_view to_string(Fit fit) {
  switch (fit) {
    case Fit::kInsufficientData:
      return "insufficient data";
    case Fit::kFit:
      return "fit";
    case Fit::kNotFit:
      return "not fit";
  }
  return "insufficient data";
}

Fit judge(const WorkloadRule& rule, std::uint64_t samples, std::uint64_t above) {
  const double allowed =
      (1 - rule.quantile) * static_cast<double>(std::max(samples, rule.least_samples));
  if (static_cast<double>(above) > allowed) return Fit::kNotFit;
  return samples < rule.least_samples ? Fit::kInsufficientData : Fit::kFit;
}

}  // namespace volumeter
