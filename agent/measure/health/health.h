// Whether volumes are what they should be: mounted, the right thing, writable, without errors,
// growing as asked, used by whom they may be.
#pragma once

#include <chrono>
#include <memory>

#include "host/host.h"
#include "volumeter/measurer.h"

namespace volumeter {

// `orphans_after`: how old what was left behind must be to be reported.
std::unique_ptr<Measurer> make_health_measurer(const HostPaths& host,
                                               std::chrono::milliseconds orphans_after);

}  // namespace volumeter
