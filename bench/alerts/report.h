// The scores as Markdown.
#pragma once

#include "bench/alerts/scoring.h"

namespace volumeter::backtest {

struct Outcome {
  const Policy& policy;
  Scores scores;
};

void print_mix(const Cluster& cluster, const Scores& scores);
void print_summary(const Setting& setting, const Outcome& ours, const Outcome& theirs);
void print_kinds(const Setting& setting, const Outcome& ours, const Outcome& theirs);
// Which alert was right and wrong about what.
void print_alerts(const Outcome& outcome);

}  // namespace volumeter::backtest
