// What a policy's alerts were worth, by what is known of the claims.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "bench/alerts/claims.h"
#include "bench/alerts/firing.h"

namespace volumeter::backtest {

constexpr std::int64_t kInTime = 4 * kHour;
// The policy's own definition of too little: at or above it with less than this left.
constexpr double kTightRatio = 0.9;
constexpr double kTightBytes = 10.0 * 1024 * 1024 * 1024;

struct Stretch {
  std::int64_t from = 0;
  std::int64_t until = 0;
};

// When a claim had too little left, whether it was to be full or not.
std::vector<Stretch> tight_times(const Claim& claim);

// How an alert relates to the truth; the first that applies.
struct Counts {
  int urgent = 0;  // it fired while the claim needed somebody within a day
  int tight = 0;   // while the claim had too little left
  int early = 0;   // while it leaked, up to a week before it was full
  int none = 0;    // false

  [[nodiscard]] int all() const { return urgent + tight + early + none; }
  void add(const Counts& other);
};

struct Score {
  int claims = 0;
  int tight_claims = 0;
  int in_time = 0;           // fill-ups of which any alert told four hours before
  int paged = 0;             // fill-ups of which a page told before
  std::vector<double> lead;  // of each fill-up: hours; 0 where none told
  std::vector<double> page_lead;
  Counts pages;
  Counts warnings;  // all that doesn't page

  void add(const Score& other);
};

struct Scores {
  std::array<Score, kKinds.size()> by_kind;
  std::vector<std::array<Counts, kKinds.size()>> by_alert;  // of the policy's, by kind
  [[nodiscard]] Score all() const;
};

Scores score(const Policy& policy, const Cluster& cluster, const Firings& firings);

}  // namespace volumeter::backtest
