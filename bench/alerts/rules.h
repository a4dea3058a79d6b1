// Alerting rules as their files say, and the recording rules they need.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace volumeter::backtest {

struct Recording {
  std::string name;
  std::string expr;
};

struct Alert {
  std::string name;
  std::string severity;
  std::string expr;
  std::int64_t hold = 0;  // `for`, in seconds
  std::int64_t keep = 0;  // `keep_firing_for`
  bool pages = false;     // somebody, at any hour
};

struct Policy {
  std::string name;
  // In passes: each needs what those before it record.
  std::vector<std::vector<Recording>> recordings;
  std::vector<Alert> alerts;
};

// The alerts of topic capacity in volumes.yaml, with what they need of recording.yaml.
Policy our_policy(const std::string& directory);
// kubernetes-mixin's KubePersistentVolumeFillingUp, without its guards by access mode and label:
// every claim here is one it is for. kubelet_volume_stats_* are the same numbers as ours, so it
// reads ours.
Policy mixin_policy();

// A rule file of them.
void write_rules(const std::vector<Recording>& rules, const std::string& path);

}  // namespace volumeter::backtest
