// How long block devices take, and how long applications wait, from the kernel itself: histograms
// per claim, where I/O can be told to be the claim's, else per device.
#pragma once

#include <memory>

#include "volumeter/measurer.h"

namespace volumeter {

// Its programs are attached by others (workers/tracing.h). `reads_and_writes`: times those, too,
// beside syncs; each one on the node pays for it.
std::unique_ptr<Measurer> make_latency_measurer(bool reads_and_writes);

}  // namespace volumeter
