// The agent about itself: its measurers, its sources of names, its processes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/capabilities.h"
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
// BPF programs that are wanted, by name, and whether each is attached.
void add_programs(MeasurementSet& out, const std::vector<std::pair<std::string, bool>>& programs);
void add_capabilities(MeasurementSet& out, const Capabilities& capabilities);
void add_walk_cpu(MeasurementSet& out, double seconds);
void add_build_info(MeasurementSet& out);

// process_* as Prometheus' client libraries define them, for this process; CPU time includes
// workers that have ended. Live; never blocks.
void add_process(MeasurementSet& out);

std::vector<const MetricDesc*> self_metric_families();

}  // namespace volumeter
