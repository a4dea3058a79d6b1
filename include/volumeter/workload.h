// What well-known workloads ask of the syncs of their volume.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace volumeter {

struct WorkloadRule {
  std::string_view workload;  // "etcd"
  std::string_view what;      // "WAL sync"
  double quantile = 0.99;     // that has to be below the limit; 1: all of them
  // Seconds. One of kIoBounds, so that what the kernel counted can be held against it exactly.
  double limit = 0;
  bool documented = false;  // by the workload's authors; else a heuristic of ours
  std::string_view source;
  std::uint64_t least_samples = 0;  // before a volume can be called fit
};

// All rules; a workload's first is about its log, which is what its syncs mostly are.
std::span<const WorkloadRule> workload_rules();
std::vector<std::string> workload_names();
const WorkloadRule* first_rule(std::string_view workload);  // null for an unknown name

enum class Fit { kInsufficientData, kFit, kNotFit };
std::string_view to_string(Fit fit);

// By how many samples there are and how many of them are above the limit. Not fit as soon as more
// are above than the least number of samples could make up for.
Fit judge(const WorkloadRule& rule, std::uint64_t samples, std::uint64_t above);

}  // namespace volumeter
