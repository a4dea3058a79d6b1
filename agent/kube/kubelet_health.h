// What the kubelet says of volumes' health: kubelet_volume_stats_health_status_abnormal, which it
// exports with the feature gate CSIVolumeHealth, where a driver tells (KEP-1432).
#pragma once

#include <chrono>
#include <map>
#include <random>
#include <string>
#include <string_view>

#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/metadata.h"

namespace volumeter {

// By claim. Other lines, and what doesn't parse, are left out.
std::map<ObjectKey, bool> parse_kubelet_health(std::string_view metrics);

struct KubeletHealthOptions {
  Seconds refresh{60};
  Seconds refresh_of_none{600};  // where the last answer had no such metric
};

// Belongs to the thread of its ApiClient, which is a kubelet's. Needs `get` on nodes/metrics;
// without it nothing is known, and that is no problem.
class KubeletHealth {
 public:
  using Clock = std::chrono::steady_clock;

  KubeletHealth(ApiClient& client, KubeletHealthOptions options);

  void start_due(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_due() const;

  // True: a driver says that the volume isn't well.
  [[nodiscard]] const std::map<ObjectKey, bool>& abnormal() const { return abnormal_; }

 private:
  void finished(const ApiAnswer& answer);

  ApiClient& client_;
  const KubeletHealthOptions options_;
  std::minstd_rand random_{std::random_device{}()};
  Clock::time_point due_{};
  bool under_way_ = false;
  std::map<ObjectKey, bool> abnormal_;
  std::string problem_;
};

}  // namespace volumeter
