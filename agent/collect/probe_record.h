// What probing has found of one volume, and how that is told.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "measure/probe/probe.h"
#include "volumeter/measurement.h"
#include "volumeter/measurer.h"

namespace volumeter {

// Fewer than kIoBounds, of which each is one: a claim's series have a budget. 10 ms and 25 ms are
// what etcd documents for its syncs; below 1 ms the mean says enough.
inline constexpr std::array<double, 5> kProbeBounds = {.001, .005, .01, .025, .5};

struct ProbeRecord {
  Histogram reads{kProbeBounds};
  Histogram writes{kProbeBounds};                // overwrites, made durable
  double first_write_seconds = 0;                // the sum over all
  bool pulsed = false;                           // some pulse gave its figures
  bool wrote = false;                            // some pulse that writes came back
  std::optional<bool> success;                   // of the last pulse
  std::optional<bool> write_responsive;          // a write of ours comes back
  std::uint64_t missed = 0;                      // times at which the one before hadn't come back
  std::map<std::string, std::uint64_t> skipped;  // by reason
  // Since when a pulse is outstanding.
  std::optional<std::chrono::steady_clock::time_point> outstanding_since;
  struct Burst {
    BurstAnswer answer;
    WallTime when;
  };
  std::optional<Burst> burst;  // the last
};

// The series of one subject.
class ProbeReport {
 public:
  void add(const ProbeRecord& record, std::size_t subject, Snapshot& out);
  static std::vector<const MetricDesc*> families();

 private:
  LastMeasured last_burst_{"probe_burst"};
};

}  // namespace volumeter
