// What the calls that applications wait for look like in /metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "measure/latency/call_accounts.h"
#include "volumeter/measurement.h"

namespace volumeter {

std::vector<const MetricDesc*> call_families();

// `volumes` is parallel to the inventory's subjects. Reads and writes only where they are timed.
void add_call_times(const Inventory& inventory,
                    const std::vector<std::optional<CallAccount>>& volumes, bool reads_and_writes,
                    MeasurementSet& out);

// How many weren't timed.
void add_lost_calls(std::uint64_t lost, MeasurementSet& out);

}  // namespace volumeter
