// Whose errors they are: filesystems' own counts and the kernel's messages, as series of claims,
// filesystems and devices, and as findings.
#pragma once

#include <vector>

#include "host/host.h"
#include "measure/health/kernel_log.h"
#include "measure/health/message_totals.h"
#include "volumeter/measurer.h"
#include "volumeter/snapshot.h"

namespace volumeter {

std::vector<const MetricDesc*> error_families();

// Series. `counts` and `totals` are null when the kernel's log isn't followed.
void add_errors(const HostPaths& host, const Inventory& inventory, const KernelLogCounts* counts,
                const MessageTotals* totals, MeasurementSet& out);

// Findings. Messages count as news for an hour.
void find_errors(const HostPaths& host, const MessageTotals* totals, Snapshot& snapshot);

}  // namespace volumeter
