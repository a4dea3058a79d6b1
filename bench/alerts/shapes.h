// How the use of a claim's space moves while nothing is wrong with it.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace volumeter::backtest {

// Times are seconds since the first sample.
constexpr std::int64_t kStep = 300;
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
constexpr int kStepsAnHour = static_cast<int>(kHour / kStep);
constexpr int kStepsADay = static_cast<int>(kDay / kStep);

using Rng = std::mt19937_64;
// Used bytes as a share of the claim's first capacity, one value a step.
using Curve = std::vector<double>;

double between(Rng& rng, double low, double high);
bool chance(Rng& rng, double probability);
double normal(Rng& rng, double mean, double deviation);

// How full most claims are kept, some at 80 % and more; and where those that swing have their top.
double usual_level(Rng& rng);
double usual_peak(Rng& rng);

// Comes back to 0 within an hour or so.
Curve wander(Rng& rng, int steps, double deviation);
Curve quiet(Rng& rng, int steps, double level);
Curve steady(Rng& rng, int steps, double level);
// Up over hours and down at once, always to about the same height.
Curve sawtooth(Rng& rng, int steps, double low, double high);
// Logs that are thrown away every so many days.
Curve rotation(Rng& rng, int steps, double low, double high, int days);
Curve bulk_loads(Rng& rng, int steps);
// Up by night, and down again.
Curve batch(Rng& rng, int steps, double low, double high);

}  // namespace volumeter::backtest
