// Whether a burst would be in somebody's way, and whether one that runs is. Event-loop thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collect/probe_plan.h"
#include "measure/all.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// Why the volume must have no burst at all: the `reason` label; empty when it may. By what is known
// of it; what isn't known is no permission.
std::string burst_obstacle(const Snapshot& snapshot, std::size_t subject, const ProbePlan& plan);

// Follows one volume's device and syncs from before its burst to its end.
class BurstWatch {
 public:
  struct Subject {
    std::shared_ptr<const Inventory> inventory;
    std::size_t index = 0;
    std::optional<std::size_t> device;
    std::optional<double> usual_sync;  // the 99th percentile, in seconds
  };
  // Looks for the first time.
  BurstWatch(std::string procfs, std::vector<LiveMeasurer*> live, Subject subject);

  // The device has had little to do since the first look, and has nothing now. Later at least by
  // some hundreds of milliseconds. False when that can't be told.
  bool device_is_idle();

  // From now on `ours` requests are the burst's.
  void begin();
  // Somebody else's requests came to the device, or the workload's syncs became slow.
  bool disturbs(std::uint64_t ours);

 private:
  struct Look {
    std::uint64_t requests = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t busy_ms = 0;
    std::chrono::steady_clock::time_point when;
  };
  using Looks = std::vector<Look>;  // the device, and those below it
  [[nodiscard]] std::optional<Looks> look() const;
  [[nodiscard]] std::optional<IoTotals::Buckets> syncs() const;

  const std::string procfs_;
  const std::vector<LiveMeasurer*> live_;
  const Subject subject_;
  std::optional<Looks> first_;
  bool laid_out_ = false;  // the burst is past writing its file
  std::optional<IoTotals::Buckets> first_syncs_;
};

}  // namespace volumeter
