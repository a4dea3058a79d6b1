// Growth that doesn't end by itself, what people do about it, and so what was true of it.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/alerts/shapes.h"

namespace volumeter::backtest {

// A claim that fills up, or would have.
struct FillUp {
  std::int64_t leak_start = 0;
  std::int64_t full = 0;      // when it is, or would have been had nobody acted
  std::int64_t deadline = 0;  // until when a warning was of use: full, or the act that came before
  std::int64_t over = 0;      // when somebody had acted

  // It needed a person then: it will be full within a day unless somebody acts.
  [[nodiscard]] std::int64_t urgent_from() const;
};

struct Leak {
  int start = 0;
  Curve growth;          // at each step, while it leaks
  double stops = 1;      // how likely an act ends it for good
  int cured_before = 0;  // so many steps before it would be full somebody acts; 0: nobody does
};

struct Life {
  Curve used;      // shares of the first capacity
  Curve capacity;  // likewise
  std::vector<FillUp> fill_ups;
};

// A rate a day at which `room` lasts for `hours`, as it leaks: more by day and less by night, or by
// hourly jumps.
Curve even_growth(Rng& rng, int steps, double room, double hours, double by_day);
Curve hourly_growth(Rng& rng, int steps, double room, double hours);

Life live(Rng& rng, const Curve& base, const Leak& leak);

}  // namespace volumeter::backtest
