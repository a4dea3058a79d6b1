// How a claim of a kind lives.
#pragma once

#include "bench/alerts/claims.h"

namespace volumeter::backtest {

// So much longer than the samples, to know what they lead to.
constexpr int kFuture = 7 * kStepsADay;

Life live_as(Kind kind, Rng& rng, int steps);

}  // namespace volumeter::backtest
