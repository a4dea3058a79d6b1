// The agent about itself: its measurers, its sources of names, its processes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/host.h"
#include "kube/request_stats.h"
#include "volumeter/measurement.h"
#include "volumeter/snapshot.h"
#include "workers/worker_pool.h"

namespace volumeter {

void add_measurer_result(MeasurementSet& out, std::string_view measurer, double seconds,
                         bool success);
void add_sources(MeasurementSet& out, const std::vector<SourceState>& sources);
void add_requests(MeasurementSet& out, const std::vector<RequestStats>& requests);
void add_workers(MeasurementSet& out, const WorkerPool::Counts& counts);
void add_walk_cpu(MeasurementSet& out, double seconds);
void add_build_info(MeasurementSet& out);

// process_* as Prometheus' client libraries define them, for this process; CPU time includes
// workers that have ended. Live; never blocks.
void add_process(MeasurementSet& out);

std::vector<const MetricDesc*> self_metric_families();

}  // namespace volumeter
