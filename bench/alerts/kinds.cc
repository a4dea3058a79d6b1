#include "bench/alerts/kinds.h"

#include <algorithm>
#include <cmath>

namespace volumeter::backtest {
namespace {

// Where the leak of a claim is as long as `hours`, it begins so that it can be seen from begin to
// end, if it can at all.
int somewhere(Rng& rng, double earliest, int steps, double hours) {
  return static_cast<int>(between(rng, earliest, std::max(earliest, steps - hours * kStepsAnHour)));
}

double about(Rng& rng, double low, double high) {
  return std::exp(between(rng, std::log(low), std::log(high)));
}

// What leaking claims do besides: most nothing, some swing.
Curve before_leak(Rng& rng, int steps, double level) {
  const double which = between(rng, 0, 1);
  const double top = level + between(rng, 0.02, 0.15);
  if (which < 0.6) return quiet(rng, steps, level);
  return which < 0.8 ? sawtooth(rng, steps, level, top) : batch(rng, steps, level, top);
}

struct LeakPlan {
  double hours = 0;
  double by_day = 0;
  double earliest = 0;  // step
  double stops = 1;
  bool stairs = false;
  bool cured = false;
};

LeakPlan plan(Kind kind, Rng& rng, int steps) {
  switch (kind) {
    case Kind::kFastLeak:
      return {.hours = between(rng, 6, 24), .earliest = 2.0 * kStepsADay};
    case Kind::kStaircase:
      return {.hours = about(rng, 12, 7 * 24), .earliest = 2.0 * kStepsADay, .stairs = true};
    case Kind::kLateLeak:
      return {.hours = about(rng, 24, 7 * 24),
              .by_day = between(rng, 0, 0.9),
              .earliest = 0.5 * steps,
              .stops = 0.6};
    case Kind::kCuredLeak:
      return {.hours = about(rng, 24, 20 * 24),
              .by_day = between(rng, 0, 0.9),
              .earliest = 1.0 * kStepsADay,
              .stops = 0.6,
              .cured = true};
    default:
      return {.hours = about(rng, 3 * 24, 25 * 24), .by_day = between(rng, 0, 0.9), .stops = 0.6};
  }
}

Life leak_away(Kind kind, Rng& rng, int visible) {
  const int steps = visible + kFuture;
  const double level = between(rng, 0.15, 0.6);
  const LeakPlan wanted = plan(kind, rng, visible);
  Leak leak;
  leak.start = somewhere(rng, wanted.earliest, visible, wanted.hours);
  leak.growth = wanted.stairs ? hourly_growth(rng, steps, 1 - level, wanted.hours)
                              : even_growth(rng, steps, 1 - level, wanted.hours, wanted.by_day);
  leak.stops = wanted.stops;
  if (wanted.cured) {
    const double hours = between(rng, 1, std::min(16.0, wanted.hours / 4));
    leak.cured_before = static_cast<int>(hours * kStepsAnHour);
  }
  const Curve base = before_leak(rng, steps, level);
  return live(rng, base, leak);
}

Curve live_in_peace(Kind kind, Rng& rng, int steps) {
  const double high = usual_peak(rng);
  const double low = high * between(rng, 0.2, 0.9);
  switch (kind) {
    case Kind::kSteady:
      return steady(rng, steps, usual_level(rng));
    case Kind::kSawtooth:
      return sawtooth(rng, steps, low, high);
    case Kind::kRotation:
      return rotation(rng, steps, low, high, chance(rng, 2.0 / 3) ? 1 : 7);
    case Kind::kBulkLoad:
      return bulk_loads(rng, steps);
    case Kind::kBatch:
      return batch(rng, steps, low, high);
    default:
      return quiet(rng, steps, usual_level(rng));
  }
}

}  // namespace

Life live_as(Kind kind, Rng& rng, int steps) {
  if (kind >= Kind::kSlowLeak) return leak_away(kind, rng, steps);
  Life life;
  life.used = live_in_peace(kind, rng, steps);
  // Nothing that lives in peace may be full by chance.
  for (double& value : life.used) value = std::clamp(value, 0.001, 0.98);
  life.capacity.assign(life.used.size(), 1);
  return life;
}

}  // namespace volumeter::backtest
