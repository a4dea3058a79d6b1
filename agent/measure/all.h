// The list of measurers. A new one adds a line to all.cc.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/host.h"
#include "volumeter/measurer.h"

namespace volumeter {

using Measurers = std::vector<std::unique_ptr<Measurer>>;

// What flags say of how to measure.
struct MeasurerOptions {
  bool reads_and_writes = false;  // --latency.operations=all
  std::chrono::milliseconds orphans_after{300000};
};

// In an order that the daemon and its workers agree on.
Measurers make_all_measurers(const HostPaths& host, const MeasurerOptions& options = {});

// Those that run when scraped, `disabled` ones left out; they live as long as `measurers`.
std::vector<LiveMeasurer*> live_measurers(const Measurers& measurers,
                                          const std::set<std::string>& disabled);

// The functions that workers run, by index; null for measurers that need none.
std::vector<SampleFunction> worker_functions(const Measurers& measurers);

}  // namespace volumeter
