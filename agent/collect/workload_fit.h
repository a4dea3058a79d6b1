// Whether volumes are fit for what their owners run on them (volumeter.io/workload), by the syncs
// that the workload itself has waited for in the last hour. Event-loop thread only.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "volumeter/inventory.h"
#include "volumeter/io_activity.h"
#include "volumeter/measurement.h"
#include "volumeter/workload.h"

namespace volumeter {

class WorkloadFit {
 public:
  using Clock = std::chrono::steady_clock;

  // `totals` is parallel to inventory.subjects. At each interval.
  void record(const Inventory& inventory, const std::vector<IoTotals>& totals,
              Clock::time_point now);

  // Of annotated volumes with enough syncs; the others have no series.
  void report(const Inventory& inventory, MeasurementSet& out) const;
  static std::vector<const MetricDesc*> families();

 private:
  struct Moment {
    Clock::time_point when;
    IoTotals::Buckets syncs;
  };
  using Moments = std::deque<Moment>;
  [[nodiscard]] static Fit verdict(const WorkloadRule& rule, const Moments& moments);

  std::map<std::vector<std::string>, Moments> subjects_;  // annotated ones, by their labels
};

// Empty when `value` is a workload that is known; else what is allowed.
std::string wrong_with_workload(const std::string& value);

}  // namespace volumeter
