// What the calls that applications wait for look like in /metrics.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "measure/latency/call_accounts.h"
#include "volumeter/measurement.h"

namespace volumeter {

std::vector<const MetricDesc*> call_families();

// By call_operation: whether the programs are attached that count it.
using TimedOperations = std::array<bool, CALL_OPERATIONS>;

// `volumes` is parallel to the inventory's subjects. Of operations only those that are timed.
void add_call_times(const Inventory& inventory,
                    const std::vector<std::optional<CallAccount>>& volumes,
                    const TimedOperations& timed, MeasurementSet& out);

// How many weren't timed.
void add_lost_calls(std::uint64_t lost, MeasurementSet& out);

}  // namespace volumeter
