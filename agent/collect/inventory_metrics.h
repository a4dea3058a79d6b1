// Metrics that the inventory alone answers, and those that every sampled measurer gets for free.
#pragma once

#include <vector>

#include "volumeter/measurer.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// info, access_mode, mount_info, requested_bytes, mounted, read_only.
void add_inventory_metrics(const Inventory& inventory, MeasurementSet& out);

// responsive and measure_errors_total, and the readings' `responsive` and `problem`. `states` is
// one list per sampled measurer, each parallel to inventory.targets.
void add_target_metrics(const std::vector<std::vector<const TargetState*>>& states, Snapshot& out);

std::vector<const MetricDesc*> inventory_metric_families();

}  // namespace volumeter
