#include "bench/alerts/leak.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace volumeter::backtest {
namespace {

constexpr int kNever = -1;

// One run through a claim's time. Where it gets full somebody acts some hours later, and at
// `act_at` before that.
class Run {
 public:
  Run(Rng rng, const Curve& base, const Leak& leak) : rng_(rng), base_(base), leak_(leak) {}

  Life go(int act_at, int would_be_full) {
    since_ = leak_.start;
    for (int i = 0; i < static_cast<int>(base_.size()); ++i) {
      if (leaking_ && i >= leak_.start) leaked_ += leak_.growth[i];
      if (full_ == kNever && base_[i] + leaked_ >= room_) {
        full_ = i;
        act_at = i + static_cast<int>(between(rng_, 1, 12) * kStepsAnHour);
        would_be_full = i;
      }
      if (i == act_at) act(i, would_be_full);
      leaked_ = std::min(leaked_, std::max(0.0, room_ - base_[i]));
      life_.used.push_back(std::min(base_[i] + leaked_, room_));
      life_.capacity.push_back(room_);
    }
    if (full_ != kNever) remember(static_cast<int>(base_.size()), would_be_full);
    return std::move(life_);
  }

 private:
  void remember(int over, int full) {
    life_.fill_ups.push_back(
        {since_ * kStep, full * kStep, std::min(full, over) * kStep, over * kStep});
  }

  void act(int i, int full) {
    remember(i, full);
    if (chance(rng_, 0.35)) {
      room_ *= chance(rng_, 0.5) ? 1.5 : 2;
    } else {
      leaked_ = 0;
    }
    leaking_ = !chance(rng_, leak_.stops);
    since_ = i;
    full_ = kNever;
  }

  Rng rng_;
  const Curve& base_;
  const Leak& leak_;
  Life life_;
  bool leaking_ = true;
  double leaked_ = 0;
  double room_ = 1;
  int since_ = 0;
  int full_ = kNever;
};

}  // namespace

std::int64_t FillUp::urgent_from() const { return std::max(full - kDay, leak_start); }

Curve even_growth(Rng& rng, int steps, double room, double hours, double by_day) {
  const double rate = room / (hours * kStepsAnHour);
  const double phase = between(rng, 0, 0.2);
  const Curve noise = wander(rng, steps, 0.15);
  Curve growth(steps);
  for (int i = 0; i < steps; ++i) {
    const double day = static_cast<double>(i) / kStepsADay + phase;
    const double rhythm = 1 - by_day * std::cos(2 * std::numbers::pi * day);
    growth[i] = std::max(0.0, rate * (rhythm + noise[i]));
  }
  return growth;
}

Curve hourly_growth(Rng& rng, int steps, double room, double hours) {
  Curve growth(steps);
  const int minute = static_cast<int>(between(rng, 0, kStepsAnHour));
  for (int i = minute; i < steps; i += kStepsAnHour) {
    growth[i] = room / hours * between(rng, 0.5, 1.5);
  }
  return growth;
}

Life live(Rng& rng, const Curve& base, const Leak& leak) {
  // What would have happened is told by a first run, with the same chances.
  Life alone = Run(rng, base, leak).go(kNever, kNever);
  if (leak.cured_before == 0 || alone.fill_ups.empty()) return alone;
  const int full = static_cast<int>(alone.fill_ups.front().full / kStep);
  return Run(rng, base, leak).go(std::max(leak.start + 1, full - leak.cured_before), full);
}

}  // namespace volumeter::backtest
