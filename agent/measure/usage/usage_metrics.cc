#include "measure/usage/usage_metrics.h"

#include <algorithm>

namespace volumeter {
namespace {

const VolumeMetric kCapacity("stats_capacity_bytes",
                             "Size of the volume in bytes; what was promised where it shares a "
                             "filesystem.");
const VolumeMetric kAvailable("stats_available_bytes",
                              "Bytes an unprivileged process can still write.");
const VolumeMetric kUsed("stats_used_bytes", "Bytes in use.");
const VolumeMetric kInodes("stats_inodes", "Number of inodes.");
const VolumeMetric kInodesFree("stats_inodes_free", "Number of free inodes.");
const VolumeMetric kInodesUsed("stats_inodes_used", "Number of used inodes.");
const VolumeMetric kRatio(
    "usage_ratio",
    "How full the volume is, 0 to 1: used/(used+available) as df computes it, or "
    "used/size where it shares a filesystem: above 1 when it holds more than promised.");
const VolumeMetric kInodesRatio("inodes_usage_ratio", "Share of the inodes in use, 0 to 1.");
const VolumeMetric kMethod("usage_method",
                           "1 for the method that measures this volume's usage; none while "
                           "nothing can tell it.",
                           MetricType::kGauge, {"method"});
const VolumeMetric kEnforced("capacity_enforced",
                             "1 if something breaks when the volume is full; 0 if its size is a "
                             "promise that nobody enforces.");
const VolumeMetric kDeletedOpen("deleted_open_bytes",
                                "Bytes held by deleted files that are still open: a lower bound, "
                                "and not part of what a walk finds.");
const VolumeMetric kLastWrite("last_write_timestamp_seconds",
                              "The newest modification time of a file in it, in Unix time, as the "
                              "last walk found it.");
const VolumeMetric kWalkEntries("walk_entries",
                                "Files, directories and the rest that the last walk counted.");
const VolumeMetric kWalkDuration("walk_duration_seconds",
                                 "How long the last walk took, with its pauses.");
const VolumeMetric kWalkProgress("walk_progress_entries",
                                 "Entries that the walk under way has counted so far.");

MetricDesc filesystem_metric(const std::string& suffix, const std::string& help) {
  return {"volumeter_filesystem_" + suffix,
          help,
          MetricType::kGauge,
          {"device", "mountpoint", "fstype"}};
}
const MetricDesc kFsCapacity = filesystem_metric("capacity_bytes", "Size in bytes.");
const MetricDesc kFsAvailable =
    filesystem_metric("available_bytes", "Bytes an unprivileged process can still write.");
const MetricDesc kFsUsed = filesystem_metric("used_bytes", "Bytes in use.");
const MetricDesc kFsInodes = filesystem_metric("inodes", "Number of inodes.");
const MetricDesc kFsInodesFree = filesystem_metric("inodes_free", "Number of free inodes.");
const MetricDesc kFsInodesUsed = filesystem_metric("inodes_used", "Number of used inodes.");
const MetricDesc kFsRatio =
    filesystem_metric("usage_ratio", "How full it is, 0 to 1: used/(used+available).");
const MetricDesc kFsInodesRatio =
    filesystem_metric("inodes_usage_ratio", "Share of the inodes in use, 0 to 1.");

const MetricDesc kDeletedMeasured = {
    "volumeter_deleted_open_last_measured_timestamp_seconds",
    "When deleted but open files were last looked for, on all volumes, in Unix time.",
    MetricType::kGauge,
    {}};
const MetricDesc kEphemeralUsed = {
    "volumeter_pod_ephemeral_storage_used_bytes",
    "Bytes of the pod's emptyDirs, ConfigMaps, logs and writable layers on the node's disk.",
    MetricType::kGauge,
    {"namespace", "pod"}};
const MetricDesc kEphemeralLimit = {
    "volumeter_pod_ephemeral_storage_limit_bytes",
    "The pod's ephemeral-storage limit: above it the kubelet evicts the pod.",
    MetricType::kGauge,
    {"namespace", "pod"}};
const MetricDesc kEphemeralMeasured = {
    "volumeter_pod_ephemeral_storage_last_measured_timestamp_seconds",
    "When the oldest part of the pod's ephemeral storage was measured, in Unix time.",
    MetricType::kGauge,
    {"namespace", "pod"}};

template <class Metric>
struct UsageMetrics {
  const Metric &capacity, &available, &used, &inodes, &inodes_free, &inodes_used, &ratio,
      &inodes_ratio;
};

template <class Add>
void add_usage(const Usage& usage, Add&& add) {
  const auto number = [&](const auto& metric, std::optional<std::uint64_t> value) {
    if (value) add(metric, static_cast<double>(*value));
  };
  const auto& m = add.metrics;
  number(m.capacity, usage.capacity);
  number(m.available, usage.available);
  number(m.used, usage.used);
  number(m.inodes, usage.inodes);
  number(m.inodes_free, usage.inodes_free);
  number(m.inodes_used, usage.inodes_used);
  if (const auto ratio = usage.ratio()) add(m.ratio, *ratio);
  if (const auto ratio = usage.inodes_ratio()) add(m.inodes_ratio, *ratio);
}

struct AddToSubject {
  MeasurementSet& out;
  const Subject& subject;
  UsageMetrics<VolumeMetric> metrics{kCapacity,   kAvailable,  kUsed,  kInodes,
                                     kInodesFree, kInodesUsed, kRatio, kInodesRatio};
  void operator()(const VolumeMetric& metric, double value) const {
    out.add(metric, subject, value);
  }
};

struct AddToFilesystem {
  MeasurementSet& out;
  const Labels& labels;
  UsageMetrics<MetricDesc> metrics{kFsCapacity,   kFsAvailable,  kFsUsed,  kFsInodes,
                                   kFsInodesFree, kFsInodesUsed, kFsRatio, kFsInodesRatio};
  void operator()(const MetricDesc& metric, double value) const { out.add(metric, labels, value); }
};

double seconds(WallTime when) {
  return std::chrono::duration<double>(when.time_since_epoch()).count();
}

}  // namespace

std::vector<const MetricDesc*> usage_families() {
  std::vector<const MetricDesc*> all = {&kFsCapacity,     &kFsAvailable,       &kFsUsed,
                                        &kFsInodes,       &kFsInodesFree,      &kFsInodesUsed,
                                        &kFsRatio,        &kFsInodesRatio,     &kEphemeralUsed,
                                        &kEphemeralLimit, &kEphemeralMeasured, &kDeletedMeasured};
  for (const VolumeMetric* metric :
       {&kCapacity, &kAvailable, &kUsed, &kInodes, &kInodesFree, &kInodesUsed, &kRatio,
        &kInodesRatio, &kMethod, &kEnforced, &kDeletedOpen, &kLastWrite, &kWalkEntries,
        &kWalkDuration, &kWalkProgress}) {
    all.push_back(&metric->claim);
    all.push_back(&metric->pod);
  }
  return all;
}

void add_usage(MeasurementSet& out, const Subject& subject, const Usage& usage) {
  add_usage(usage, AddToSubject{out, subject});
}

void add_usage(MeasurementSet& out, const Filesystem& filesystem, const Usage& usage) {
  add_usage(usage, AddToFilesystem{out, filesystem.labels});
}

void add_walk(MeasurementSet& out, const Subject& subject, const Reading& reading,
              const TreeUse& tree) {
  if (reading.last_write) out.add(kLastWrite, subject, seconds(*reading.last_write));
  if (reading.walking) {
    out.add(kWalkProgress, subject, static_cast<double>(reading.walking->entries));
  }
  if (tree.method != UsageMethod::kWalk) return;
  out.add(kWalkEntries, subject, static_cast<double>(tree.entries));
  out.add(kWalkDuration, subject, tree.took.count());
}

void add_enforced(MeasurementSet& out, const Subject& subject, bool enforced) {
  out.add(kEnforced, subject, enforced ? 1 : 0);
}

void add_deleted_open(MeasurementSet& out, const Subject& subject, std::uint64_t bytes) {
  out.add(kDeletedOpen, subject, static_cast<double>(bytes));
}

const VolumeMetric& usage_method_metric() { return kMethod; }

void add_deleted_time(Snapshot& out) {
  const auto any = std::find_if(out.deleted.begin(), out.deleted.end(),
                                [](const auto& deleted) { return deleted.has_value(); });
  if (any == out.deleted.end()) return;
  out.measurements.add(kDeletedMeasured, make_labels({}), seconds((*any)->measured_at));
}

void add_ephemeral(Snapshot& out) {
  for (const EphemeralStorage& storage : out.inventory->ephemeral) {
    if (storage.limit_bytes) {
      out.measurements.add(kEphemeralLimit, storage.labels,
                           static_cast<double>(*storage.limit_bytes));
    }
    if (!storage.complete || storage.targets.empty()) continue;
    std::uint64_t used = 0;
    WallTime oldest = WallTime::max();
    const bool known =
        std::all_of(storage.targets.begin(), storage.targets.end(), [&](std::size_t i) {
          const TreeUse& tree = out.trees[i];
          used += tree.bytes;
          oldest = std::min(oldest, tree.measured_at);
          return tree.method != UsageMethod::kNone;
        });
    if (!known) continue;
    out.measurements.add(kEphemeralUsed, storage.labels, static_cast<double>(used));
    out.measurements.add(kEphemeralMeasured, storage.labels, seconds(oldest));
  }
}

}  // namespace volumeter
