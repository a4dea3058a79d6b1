// What the requests to one server cost and how they ended.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "volumeter/measurement.h"

namespace volumeter {

// Bounds of client-go's rest_client_request_duration_seconds, shortened.
inline constexpr std::array kRequestBounds = {0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0};

struct RequestStats {
  std::string source;
  // By resource, verb ("get", "list" or "watch") and HTTP status; "error" when none came.
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> requests;
  Histogram seconds{kRequestBounds};  // of those that aren't watches
  std::uint64_t received_bytes = 0;   // headers and bodies as they came over the wire
};

}  // namespace volumeter
