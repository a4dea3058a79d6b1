// How long block devices take, from the kernel's own tracepoints: histograms per claim, where I/O
// can be told to be the claim's, else per device.
#pragma once

#include <memory>

#include "volumeter/measurer.h"

namespace volumeter {

// Its programs are attached by others (workers/tracing.h).
std::unique_ptr<Measurer> make_latency_measurer();

}  // namespace volumeter
