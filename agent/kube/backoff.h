// How long to leave a server alone that doesn't answer as it should.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>

namespace volumeter {

using Seconds = std::chrono::duration<double>;

// A moment within a fifth of `interval`, either way: thousands of nodes that started together must
// not ask together.
inline Seconds jittered(Seconds interval, std::minstd_rand& random) {
  return interval * std::uniform_real_distribution(0.8, 1.2)(random);
}

// 1, 2, 4, ... up to 60 units, jittered; never less than the server asked for.
class Backoff {
 public:
  // `unit`: a second; benchmarks compress time.
  explicit Backoff(Seconds unit = Seconds(1)) : unit_(unit) {}

  Seconds next(std::minstd_rand& random, std::optional<std::chrono::seconds> asked) {
    const Seconds pause = jittered(unit_ * std::min(60.0, step_), random);
    step_ = std::min(64.0, step_ * 2);
    return asked ? std::max(pause, jittered(*asked * 1.25, random)) : pause;
  }
  void reset() { step_ = 1; }

 private:
  Seconds unit_;
  double step_ = 1;
};

}  // namespace volumeter
