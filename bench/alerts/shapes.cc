#include "bench/alerts/shapes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace volumeter::backtest {
namespace {

constexpr double kHighest = 0.95;  // nobody lets a claim swing higher than that

int steps_of(double hours) { return std::max(1, static_cast<int>(hours * kStepsAnHour)); }

// A ramp added to all that follows.
void add_load(Curve& curve, int at, int length, double height) {
  for (int i = at; i < static_cast<int>(curve.size()); ++i) {
    curve[i] += height * std::min(1.0, static_cast<double>(i - at + 1) / length);
  }
}

void add_night(Rng& rng, Curve& curve, int at, int up, int hold, double height) {
  const int down = static_cast<int>(between(rng, 2, 6));
  for (int i = std::max(0, -at); i < up + hold + down && at + i < static_cast<int>(curve.size());
       ++i) {
    const double rising = static_cast<double>(i + 1) / up;
    const double falling = static_cast<double>(up + hold + down - i) / (down + 1);
    curve[at + i] += height * std::clamp(std::min(rising, falling), 0.0, 1.0);
  }
}

}  // namespace

double between(Rng& rng, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(rng);
}

bool chance(Rng& rng, double probability) { return between(rng, 0, 1) < probability; }

double normal(Rng& rng, double mean, double deviation) {
  return std::normal_distribution<double>(mean, deviation)(rng);
}

double usual_level(Rng& rng) {
  const double which = between(rng, 0, 1);
  if (which < 0.88) return between(rng, 0.05, 0.70);
  if (which < 0.94) return between(rng, 0.70, 0.80);
  if (which < 0.98) return between(rng, 0.80, 0.90);
  return between(rng, 0.90, 0.95);
}

double usual_peak(Rng& rng) {
  return chance(rng, 0.85) ? between(rng, 0.30, 0.80) : between(rng, 0.80, 0.92);
}

Curve wander(Rng& rng, int steps, double deviation) {
  constexpr double kKept = 0.92;
  const double fresh = std::sqrt(1 - kKept * kKept) * deviation;
  std::normal_distribution<double> push;
  Curve curve(steps);
  double value = 0;
  for (double& out : curve) out = value = kKept * value + fresh * push(rng);
  return curve;
}

Curve quiet(Rng& rng, int steps, double level) {
  // Half of them hold the same bytes for weeks.
  Curve curve = chance(rng, 0.5) ? Curve(steps) : wander(rng, steps, between(rng, 0.0002, 0.002));
  for (double& value : curve) value += level;
  return curve;
}

Curve steady(Rng& rng, int steps, double level) {
  const double a_day = between(rng, 0.00005, 0.002) * (chance(rng, 0.8) ? 1 : -1);
  Curve curve = wander(rng, steps, between(rng, 0.0002, 0.002));
  for (int i = 0; i < steps; ++i) curve[i] += level + a_day * i / kStepsADay;
  return curve;
}

Curve sawtooth(Rng& rng, int steps, double low, double high) {
  const double hours = between(rng, 1, 12);
  Curve curve = wander(rng, steps, 0.0005);
  for (int begin = 0; begin < steps;) {
    const int period = steps_of(hours * normal(rng, 1, 0.05));
    const double peak = low + (high - low) * normal(rng, 1, 0.01);
    for (int i = 0; i < period && begin + i < steps; ++i) {
      curve[begin + i] += low + (peak - low) * (i + 1) / period;
    }
    begin += period;
  }
  return curve;
}

Curve rotation(Rng& rng, int steps, double low, double high, int days) {
  const double by_day = between(rng, 0.2, 0.9);  // how much more is written by day
  const int offset = static_cast<int>(between(rng, 0, 1.0 * days * kStepsADay));
  Curve curve = wander(rng, steps, 0.0005);
  double top = 0;
  for (int i = 0; i < steps; ++i) {
    const int within = (i + offset) % (days * kStepsADay);
    if (i == 0 || within == 0) {
      top = std::min(kHighest, low + (high - low) * normal(rng, 1, 0.04));
    }
    const double day = static_cast<double>(within) / kStepsADay;
    const double written =
        day - by_day / (2 * std::numbers::pi) * std::sin(2 * std::numbers::pi * day);
    curve[i] += low + (top - low) * written / days;
  }
  return curve;
}

Curve bulk_loads(Rng& rng, int steps) {
  const double low = between(rng, 0.05, 0.4);
  const double which = between(rng, 0, 1);
  const double high = which < 0.7   ? between(rng, low + 0.1, 0.75)
                      : which < 0.9 ? between(rng, 0.75, 0.85)
                                    : between(rng, 0.85, 0.92);
  const int loads = static_cast<int>(between(rng, 1, 4));
  Curve curve = quiet(rng, steps, low);
  for (int load = 0; load < loads; ++load) {
    const int at = static_cast<int>(between(rng, 0, steps));
    // From ten minutes to eight hours, the short ones more often.
    const double hours = std::exp(between(rng, std::log(1.0 / 6), std::log(8.0)));
    add_load(curve, at, steps_of(hours), (high - low) / loads);
  }
  return curve;
}

Curve batch(Rng& rng, int steps, double low, double high) {
  const double hour = between(rng, 0, 5);
  const int up = steps_of(between(rng, 1, 4));
  const int hold = steps_of(between(rng, 0.5, 3));
  const bool weekends = chance(rng, 0.7);
  Curve curve = wander(rng, steps, 0.0005);
  for (double& value : curve) value += low;
  for (int day = 0; day * kStepsADay < steps; ++day) {
    // The first sample is a Monday's.
    if (!weekends && day % 7 >= 5) continue;
    const int at = day * kStepsADay + steps_of(hour + normal(rng, 0, 0.15));
    const double height = std::min(kHighest - low, (high - low) * normal(rng, 1, 0.02));
    add_night(rng, curve, at, up, hold, height);
  }
  return curve;
}

}  // namespace volumeter::backtest
