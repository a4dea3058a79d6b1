// Durations as people write them in flags and annotations.
#pragma once

#include <chrono>
#include <string>

#include "volumeter/result.h"

namespace volumeter {

// "15s", "500ms", "1h30m", as Prometheus writes them; an error says what is allowed.
Result<std::chrono::milliseconds> parse_duration(const std::string& text);

}  // namespace volumeter
