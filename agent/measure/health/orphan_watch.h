// How long what was left behind has been there, and what it holds. Reported, never removed: a
// clean-up that is wrong once has wiped somebody's data (kubernetes#60987).
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "volumeter/measurer.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// Event-loop thread.
class OrphanWatch {
 public:
  // `after`: what is younger may be about to be cleaned up.
  explicit OrphanWatch(std::chrono::milliseconds after) : after_(after) {}

  static std::vector<const MetricDesc*> families();

  // Fills Snapshot::orphans, the oldest first, and adds the node's series.
  void add(Snapshot& snapshot);

 private:
  using Key = std::tuple<Orphan::Kind, std::string, std::string>;

  const std::chrono::milliseconds after_;
  std::map<Key, WallTime> seen_;  // first
};

}  // namespace volumeter
