// A cluster's claims: how full each is at any time, who reports it, and what was true of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/alerts/leak.h"

namespace volumeter::backtest {

enum class Kind {
  kQuiet,
  kSteady,
  kSawtooth,
  kRotation,
  kBulkLoad,
  kBatch,
  kSlowLeak,
  kFastLeak,
  kStaircase,
  kLateLeak,
  kCuredLeak,
};

struct KindInfo {
  Kind kind;
  const char* name;
  const char* about;
  int share;  // of a thousand
};

// clang-format off
constexpr std::array<KindInfo, 11> kKinds{{
    {Kind::kQuiet, "quiet", "the same bytes for weeks, or a tremble of up to 0.2 %", 280},
    {Kind::kSteady, "steady", "drifts by 0.005 to 0.2 % a day, one in five downwards", 180},
    {Kind::kSawtooth, "sawtooth", "up over 1 to 12 h and down at once, to the same height within 1 %", 110},
    {Kind::kRotation, "log rotation", "thrown away each day, or (one in three) each week; more is written by day", 90},
    {Kind::kBulkLoad, "bulk load", "one to three loads of 10 min to 8 h each, then flat", 70},
    {Kind::kBatch, "batch", "up for 1 to 4 h each night, held, and down; three in ten rest at weekends", 80},
    {Kind::kSlowLeak, "slow leak", "full in 3 to 25 days, faster by day", 60},
    {Kind::kFastLeak, "fast leak", "full in 6 to 24 h, after days of peace", 40},
    {Kind::kStaircase, "staircase leak", "hourly jumps of unequal height, full in 12 h to 7 days", 30},
    {Kind::kLateLeak, "late leak", "a sawtooth, batch or quiet claim that begins to leak in the second half, full in 1 to 7 days", 30},
    {Kind::kCuredLeak, "cured leak", "full in 1 to 20 days, were it not cleaned up or expanded 1 to 16 h before", 30},
}};
// clang-format on

const KindInfo& info(Kind kind);

struct Setting {
  int claims = 1000;
  int days = 30;
  std::uint64_t seed = 1;

  [[nodiscard]] int steps() const { return days * kStepsADay; }
  [[nodiscard]] std::int64_t end() const { return days * kDay; }
  // What rules say before there is any history to look back on isn't scored.
  [[nodiscard]] std::int64_t warm() const { return days > 4 ? 2 * kDay : 0; }
  [[nodiscard]] double weeks() const { return static_cast<double>(end() - warm()) / (7 * kDay); }
};

struct Claim {
  std::string name_space;
  std::string name;
  std::string storageclass;
  std::string csi_driver;
  std::string fstype;
  Kind kind = Kind::kQuiet;
  std::vector<int> nodes;        // that report it
  std::vector<double> used;      // bytes, one value a step
  std::vector<double> capacity;  // likewise
  std::vector<FillUp> fill_ups;

  [[nodiscard]] double available(int step) const { return capacity[step] - used[step]; }
};

// A node's agent was away in these steps.
struct Gap {
  int from = 0;
  int until = 0;
};

struct Cluster {
  Setting setting;
  std::vector<Claim> claims;
  std::vector<std::vector<Gap>> gaps;  // of each node
};

Cluster make_cluster(const Setting& setting);

}  // namespace volumeter::backtest
