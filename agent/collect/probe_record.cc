#include "collect/probe_record.h"

#include <memory>
#include <utility>

namespace volumeter {
namespace {

using Name = VolumeMetric::Name;

const VolumeMetric kDuration = {
    Name{"probe", "duration_seconds"},
    "How long a probe's 4 KiB took, past the page cache: read, or write_sync (an overwrite made "
    "durable).",
    MetricType::kHistogram,
    {"operation"}};
const VolumeMetric kFirstWrite = {
    Name{"probe", "first_write_seconds_total"},
    "Seconds that probes took to make their file and its first block durable, which commits the "
    "filesystem's journal: not part of duration_seconds.",
    MetricType::kCounter};
const VolumeMetric kSuccess = {Name{"probe", "success"},
                               "1 when the last probe came back and did what it should, else 0."};
const VolumeMetric kSkipped = {Name{"probe", "skipped_total"},
                               "Probes that were not tried, or gave no figure, by reason.",
                               MetricType::kCounter,
                               {"reason"}};
const VolumeMetric kMissed = {
    Name{"probe", "missed_total"},
    "Times at which a probe was due while the one before had not come back.", MetricType::kCounter};
const VolumeMetric kOutstanding = {
    Name{"probe", "outstanding_seconds"},
    "For how long the oldest probe has not come back; absent while none is late."};
const VolumeMetric kResponsive = {
    "write_responsive",
    "1 when writes of the probe come back, 0 when one doesn't: the filesystem is frozen, or its "
    "device hangs."};
const VolumeMetric kBurstRate = {
    Name{"probe", "burst_operations_per_second"},
    "Random 4 KiB operations a second in the last burst, 16 at a time.",
    MetricType::kGauge,
    {"operation"}};
const VolumeMetric kBurstBytes = {Name{"probe", "burst_bytes_per_second"},
                                  "Throughput of the last burst.",
                                  MetricType::kGauge,
                                  {"operation"}};
const VolumeMetric kBurstLatency = {
    Name{"probe", "burst_latency_seconds"},
    "How long an operation of the last burst took, with 16 under way.",
    MetricType::kGauge,
    {"operation", "quantile"}};

constexpr auto kLate = std::chrono::seconds(1);

double seconds(std::uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

void add_burst(const char* operation, std::uint32_t count, const BurstAnswer::Part& part,
               const Subject& subject, MeasurementSet& out) {
  if (count == 0 || part.ns == 0) return;
  const double rate = count / seconds(part.ns);
  out.add(kBurstRate, subject, {operation}, rate);
  out.add(kBurstBytes, subject, {operation}, rate * kBurstBlock);
  out.add(kBurstLatency, subject, {operation, "0.5"}, seconds(part.p50_ns));
  out.add(kBurstLatency, subject, {operation, "0.99"}, seconds(part.p99_ns));
}

}  // namespace

void ProbeReport::add(const ProbeRecord& record, std::size_t index, Snapshot& out) {
  const Subject& subject = out.inventory->subjects[index];
  MeasurementSet& set = out.measurements;
  if (record.pulsed) {
    set.add(kDuration, subject, {"read"}, std::make_shared<const Histogram>(record.reads));
    if (record.wrote) {
      set.add(kDuration, subject, {"write_sync"}, std::make_shared<const Histogram>(record.writes));
    }
  }
  if (record.wrote) set.add(kFirstWrite, subject, record.first_write_seconds);
  if (record.success) set.add(kSuccess, subject, *record.success ? 1 : 0);
  if (record.write_responsive) set.add(kResponsive, subject, *record.write_responsive ? 1 : 0);
  for (const auto& [reason, count] : record.skipped) {
    set.add(kSkipped, subject, {reason}, static_cast<double>(count));
  }
  set.add(kMissed, subject, static_cast<double>(record.missed));
  if (record.outstanding_since) {
    const std::chrono::duration<double> age =
        std::chrono::steady_clock::now() - *record.outstanding_since;
    if (age >= kLate) set.add(kOutstanding, subject, age.count());
  }
  if (record.burst) {
    add_burst("read", record.burst->answer.reads, record.burst->answer.read, subject, set);
    add_burst("write", record.burst->answer.writes, record.burst->answer.write, subject, set);
    last_burst_.add(out, index, record.burst->when);
  }
}

std::vector<const MetricDesc*> ProbeReport::families() {
  std::vector<const MetricDesc*> all;
  for (const VolumeMetric* metric :
       {&kDuration, &kFirstWrite, &kSuccess, &kSkipped, &kMissed, &kOutstanding, &kResponsive,
        &kBurstRate, &kBurstBytes, &kBurstLatency}) {
    all.insert(all.end(), {&metric->claim, &metric->pod});
  }
  return all;
}

}  // namespace volumeter
