// What Prometheus would have scraped from a cluster's agents, as OpenMetrics text.
#pragma once

#include <string>

#include "bench/alerts/claims.h"

namespace volumeter::backtest {

// The first sample's time, in Unix seconds: a Monday.
constexpr std::int64_t kEpoch = 1767571200;

// The samples of the steps [from, until).
void write_samples(const Cluster& cluster, int from, int until, const std::string& path);

}  // namespace volumeter::backtest
