#include "measure/latency/call_metrics.h"

#include <array>
#include <memory>
#include <numeric>
#include <span>

namespace volumeter {
namespace {

const VolumeMetric kSync("sync_latency_seconds",
                         "How long fsync and its like took, as the application waits for them.",
                         MetricType::kHistogram);
const VolumeMetric kWait(
    "wait_seconds_total",
    "Seconds that applications waited for syncs, by whose they were: while the volume's device was "
    "at work, while requests waited for it, and above it (throttling, journal, filesystem).",
    MetricType::kCounter, {"cause"});
const VolumeMetric kCalls("call_latency_seconds",
                          "How long reads and writes took, as the application waits for them.",
                          MetricType::kHistogram, {"operation"});
const MetricDesc kLost = {"volumeter_sync_calls_lost_total",
                          "Calls that weren't timed, because too many were under way.",
                          MetricType::kCounter,
                          {}};

// Nothing that reaches a disk is as quick as the first two bounds, and series have a budget.
constexpr std::size_t kTooQuick = 2;
const std::span<const double> kSyncBounds = std::span(kIoBounds).subspan(kTooQuick);

std::shared_ptr<const Histogram> sync_histogram(const CallCounts::Times& times) {
  const auto& buckets = times.buckets;
  std::vector<std::uint64_t> counts(buckets.begin() + kTooQuick, buckets.end());
  counts.front() += buckets[0] + buckets[1];
  return std::make_shared<const Histogram>(kSyncBounds, std::move(counts), times.seconds);
}

std::shared_ptr<const Histogram> call_histogram(const CallCounts::Times& times) {
  return std::make_shared<const Histogram>(
      kIoBounds, std::vector<std::uint64_t>(times.buckets.begin(), times.buckets.end()),
      times.seconds);
}

bool none(const CallCounts::Times& times) {
  return std::accumulate(times.buckets.begin(), times.buckets.end(), std::uint64_t{0}) == 0;
}

// Of a pod's own volumes, which are many, only those that are synced at all.
bool shown(const Subject& subject, const CallCounts::Times& times) {
  return subject.claim.has_value() || !none(times);
}

void add_wait(const Subject& subject, const CallAccount& account, MeasurementSet& out) {
  const CallCounts& counts = account.counts;
  out.add(kWait, subject, {"device"}, counts.device_seconds);
  if (account.queue_known) out.add(kWait, subject, {"queue"}, counts.queue_seconds);
  out.add(kWait, subject, {"above"}, counts.above_seconds);
}

}  // namespace

std::vector<const MetricDesc*> call_families() {
  return {&kSync.claim, &kSync.pod, &kWait.claim, &kWait.pod, &kCalls.claim, &kCalls.pod, &kLost};
}

void add_call_times(const Inventory& inventory,
                    const std::vector<std::optional<CallAccount>>& volumes,
                    const TimedOperations& timed, MeasurementSet& out) {
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    if (!volumes[i]) continue;
    const Subject& subject = inventory.subjects[i];
    const auto& operations = volumes[i]->counts.operations;
    if (timed[CALL_SYNC] && shown(subject, operations[CALL_SYNC])) {
      out.add(kSync, subject, {}, sync_histogram(operations[CALL_SYNC]));
      if (volumes[i]->wait_known) add_wait(subject, *volumes[i], out);
    }
    for (const auto& [operation, name] :
         {std::pair(CALL_READ, "read"), std::pair(CALL_WRITE, "write")}) {
      if (!timed[operation] || !shown(subject, operations[operation])) continue;
      out.add(kCalls, subject, {name}, call_histogram(operations[operation]));
    }
  }
}

void add_lost_calls(std::uint64_t lost, MeasurementSet& out) {
  out.add(kLost, std::vector<std::string>{}, static_cast<double>(lost));
}

}  // namespace volumeter
