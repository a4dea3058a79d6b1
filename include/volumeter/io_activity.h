// What a volume's I/O adds up to, and what that means over the last minute.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace volumeter {

// Since some moment that stays the same; each part absent where it isn't measured.
struct IoTotals {
  struct Counters {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
  };
  // Completions by their time: one count a bucket, the last above every bound.
  using Buckets = std::vector<std::uint64_t>;

  std::optional<Counters> counters;
  std::optional<std::array<Buckets, 2>> latency;  // reads, writes
  std::optional<Buckets> syncs;                   // what the application waits for
  // Seconds of those: the device was at work, requests waited for it, above the device.
  std::optional<std::array<double, 3>> wait;
};

// Whose a sync's wait is, in IoTotals::wait's order.
enum class WaitCause { kDevice, kQueue, kAbove };
std::string_view to_string(WaitCause cause);

// Over the time between two totals. Seconds; absent where it isn't known, or nothing happened.
struct IoActivity {
  double seconds = 0;  // how long that was
  std::optional<double> reads_per_second;
  std::optional<double> writes_per_second;
  std::optional<double> read_bytes_per_second;
  std::optional<double> written_bytes_per_second;
  // Of the device: median and 99th percentile, within a bucket as Prometheus's histogram_quantile()
  // finds them; above the last bound: that bound.
  std::optional<double> read_p50;
  std::optional<double> read_p99;
  std::optional<double> write_p50;
  std::optional<double> write_p99;
  std::optional<double> sync_p50;
  std::optional<double> sync_p99;
  std::optional<WaitCause> wait_cause;  // what syncs waited for most
  std::uint64_t recent_syncs = 0;       // in the last seconds of that time
};

// Absent when a counter went down: something began anew in between.
std::optional<IoActivity> activity_between(const IoTotals& before, const IoTotals& after,
                                           double seconds, std::span<const double> bounds);

// As histogram_quantile() (Prometheus: promql/quantile.go). Absent without observations.
std::optional<double> quantile(double q, const IoTotals::Buckets& counts,
                               std::span<const double> bounds);

}  // namespace volumeter
