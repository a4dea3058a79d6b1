#include "volumeter/io_activity.h"

#include <algorithm>
#include <numeric>

namespace volumeter {
namespace {

std::optional<IoTotals::Buckets> difference(const IoTotals::Buckets& before,
                                            const IoTotals::Buckets& after) {
  if (before.size() != after.size()) return std::nullopt;
  IoTotals::Buckets counts(after.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (after[i] < before[i]) return std::nullopt;
    counts[i] = after[i] - before[i];
  }
  return counts;
}

// Absent when nobody waited.
std::optional<WaitCause> dominant(const std::array<double, 3>& before,
                                  const std::array<double, 3>& after) {
  std::array<double, 3> waited{};
  for (std::size_t i = 0; i < waited.size(); ++i) waited[i] = after[i] - before[i];
  const auto most = std::max_element(waited.begin(), waited.end());
  if (*most <= 0) return std::nullopt;
  return static_cast<WaitCause>(most - waited.begin());
}

}  // namespace

std::string_view to_string(WaitCause cause) {
  switch (cause) {
    case WaitCause::kDevice:
      return "device";
    case WaitCause::kQueue:
      return "queue";
    case WaitCause::kAbove:
      return "above";
  }
  return "";
}

std::optional<double> quantile(double q, const IoTotals::Buckets& counts,
                               std::span<const double> bounds) {
  const auto total =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  if (total == 0 || bounds.empty() || counts.size() != bounds.size() + 1) return std::nullopt;
  const double rank = q * total;
  double below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto count = static_cast<double>(counts[i]);
    if (count > 0 && below + count >= rank) {
      const double lower = i == 0 ? 0 : bounds[i - 1];
      return lower + (bounds[i] - lower) * (rank - below) / count;
    }
    below += count;
  }
  return bounds.back();
}

std::optional<IoActivity> activity_between(const IoTotals& before, const IoTotals& after,
                                           double seconds, std::span<const double> bounds) {
  if (seconds <= 0) return std::nullopt;
  IoActivity activity;
  activity.seconds = seconds;
  if (before.counters && after.counters) {
    const auto& a = *before.counters;
    const auto& b = *after.counters;
    if (b.reads < a.reads || b.writes < a.writes || b.read_bytes < a.read_bytes ||
        b.written_bytes < a.written_bytes) {
      return std::nullopt;
    }
    const auto rate = [&](std::uint64_t from, std::uint64_t to) {
      return static_cast<double>(to - from) / seconds;
    };
    activity.reads_per_second = rate(a.reads, b.reads);
    activity.writes_per_second = rate(a.writes, b.writes);
    activity.read_bytes_per_second = rate(a.read_bytes, b.read_bytes);
    activity.written_bytes_per_second = rate(a.written_bytes, b.written_bytes);
  }
  if (before.latency && after.latency) {
    const auto reads = difference((*before.latency)[0], (*after.latency)[0]);
    const auto writes = difference((*before.latency)[1], (*after.latency)[1]);
    if (!reads || !writes) return std::nullopt;
    activity.read_p50 = quantile(0.5, *reads, bounds);
    activity.read_p99 = quantile(0.99, *reads, bounds);
    activity.write_p50 = quantile(0.5, *writes, bounds);
    activity.write_p99 = quantile(0.99, *writes, bounds);
  }
  if (before.syncs && after.syncs) {
    const auto syncs = difference(*before.syncs, *after.syncs);
    if (!syncs) return std::nullopt;
    activity.sync_p50 = quantile(0.5, *syncs, bounds);
    activity.sync_p99 = quantile(0.99, *syncs, bounds);
    if (before.wait && after.wait) activity.wait_cause = dominant(*before.wait, *after.wait);
  }
  return activity;
}

}  // namespace volumeter
