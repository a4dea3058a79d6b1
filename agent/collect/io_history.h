// What volumes' I/O added up to over the last minutes: for people who look now. Event-loop thread
// only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "measure/all.h"
#include "volumeter/inventory.h"
#include "volumeter/io_activity.h"

namespace volumeter {

// Asks the live measurers, those in `disabled` left out; parallel to inventory.subjects.
std::vector<IoTotals> io_totals(const Inventory& inventory, const Measurers& measurers,
                                const std::set<std::string>& disabled);

class IoHistory {
 public:
  using Clock = std::chrono::steady_clock;

  // `totals` is parallel to inventory.subjects. Cheap enough for each interval.
  void record(const Inventory& inventory, const std::vector<IoTotals>& totals,
              Clock::time_point now);

  // Over the last minute, or as much of it as is known; parallel to inventory.subjects. Absent for
  // what hasn't been recorded twice, or has changed its devices since.
  [[nodiscard]] std::vector<std::optional<IoActivity>> activity(const Inventory& inventory) const;

 private:
  [[nodiscard]] std::uint64_t recent_syncs(const std::vector<std::string>& subject) const;

  struct Moment {
    Clock::time_point when;
    std::map<std::vector<std::string>, IoTotals> totals;  // by a subject's labels
    std::size_t timed = 0;                                // how many latencies are known
  };
  std::deque<Moment> moments_;
};

}  // namespace volumeter
