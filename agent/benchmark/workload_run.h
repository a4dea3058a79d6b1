// Does to a directory what a workload's log does, and counts how long its syncs take.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <vector>

#include "benchmark/target.h"
#include "blockio/latency_counts.h"
#include "volumeter/workload.h"

namespace volumeter {

struct WorkloadSample {
  const WorkloadRule* rule = nullptr;
  LatencyCounts syncs;  // ns
  int error = 0;        // errno of what ended it

  [[nodiscard]] Fit fit() const {
    return judge(*rule, syncs.count(), syncs.above(static_cast<std::uint64_t>(rule->limit * 1e9)));
  }
};

struct WorkloadControl {
  std::chrono::milliseconds runtime{10000};  // for each rule
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const WorkloadSample&, double share)> progress;  // of the rule being run
};

// How much room it needs, in bytes.
inline constexpr std::uint64_t kWorkloadRoom = 64 << 20;

// One sample for each rule of the workload.
std::vector<WorkloadSample> run_workload(std::string_view workload, const BenchTarget& target,
                                         const WorkloadControl& control);

}  // namespace volumeter
