// What block devices' times look like in /metrics.
#pragma once

#include <optional>
#include <vector>

#include "measure/latency/block_accounts.h"
#include "volumeter/measurement.h"

namespace volumeter {

std::vector<const MetricDesc*> block_families();

// `volumes` and `devices` are parallel to the inventory's subjects and devices.
void add_block_times(const Inventory& inventory,
                     const std::vector<std::optional<BlockAccount>>& volumes,
                     const std::vector<std::optional<BlockAccount>>& devices, MeasurementSet& out);

}  // namespace volumeter
