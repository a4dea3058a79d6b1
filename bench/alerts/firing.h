// When each alert of a policy fires for each claim.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/alerts/claims.h"
#include "bench/alerts/history.h"
#include "bench/alerts/rules.h"

namespace volumeter::backtest {

struct Firing {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  int alert = 0;  // of the policy's
};

using Firings = std::vector<std::vector<Firing>>;  // of each claim

// An alert whose expression was true at `active` steps. `for` and `keep_firing_for` are what they
// are to Prometheus. Between two steps an expression keeps its value, as it would between two
// scrapes: so a `for` of half a minute is half a minute.
std::vector<Firing> firings_of(const Alert& alert, const std::vector<bool>& active);

// Evaluates the policy's alerts at every step. An alert of a claim is one, whatever number of nodes
// its series come from.
Firings evaluate(const Policy& policy, const Cluster& cluster, const History& history);

}  // namespace volumeter::backtest
