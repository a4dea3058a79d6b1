#include "collect/inventory_metrics.h"

#include <algorithm>
#include <map>
#include <set>

#include "host/host.h"

namespace volumeter {
namespace {

const VolumeMetric kInfo("info", "What is known about the volume. Always 1.", MetricType::kGauge,
                         {"persistentvolume", "storageclass", "csi_driver", "volume_handle",
                          "fstype", "volume_mode", "reclaim_policy", "device"});
const VolumeMetric kAccessMode("access_mode", "1 for each access mode the claim asks for.",
                               MetricType::kGauge, {"access_mode"});
const MetricDesc kMountInfo = {"volumeter_volume_mount_info",
                               "Which pod of this node uses the claim. Always 1.",
                               MetricType::kGauge,
                               {"namespace", "persistentvolumeclaim", "pod", "uid", "owner_kind",
                                "owner_name", "ordinal", "node"}};
const VolumeMetric kRequested("requested_bytes",
                              "What the claim requests, or an emptyDir's sizeLimit, in bytes.");
const VolumeMetric kResponsive("responsive",
                               "1 if metadata calls on the volume return, 0 if one hangs.");
const VolumeMetric kErrors("measure_errors_total", "Failed measurements, by reason.",
                           MetricType::kCounter, {"reason"});
const MetricDesc kFsResponsive = {"volumeter_filesystem_responsive",
                                  "1 if metadata calls on the filesystem return, 0 if one hangs.",
                                  MetricType::kGauge,
                                  {"device", "mountpoint", "fstype"}};
const MetricDesc kFsReadOnly = {"volumeter_filesystem_read_only",
                                "1 if the filesystem is read-only.",
                                MetricType::kGauge,
                                {"device", "mountpoint", "fstype"}};
const MetricDesc kFsMeasured = {"volumeter_filesystem_last_measured_timestamp_seconds",
                                "When the filesystem was last measured, in Unix time.",
                                MetricType::kGauge,
                                {"device", "mountpoint", "fstype"}};

void add_info(const Inventory& inventory, const Subject& subject, MeasurementSet& out) {
  const std::vector<std::size_t> alive = volumes_in_use(inventory, subject);
  const Volume& volume = inventory.volumes[alive.empty() ? subject.volumes.front() : alive.front()];
  out.add(kInfo, subject,
          {printable(volume.persistent_volume), printable(volume.storage_class),
           printable(volume.csi_driver), printable(volume.volume_handle),
           volume.mount ? printable(volume.mount->fstype) : std::string(),
           std::string(to_string(volume.mode)), printable(volume.reclaim_policy),
           printable(volume.device)},
          1);
}

void add_claim(const Inventory& inventory, const Subject& subject, MeasurementSet& out) {
  const Claim& claim = inventory.claims[*subject.claim];
  if (claim.requested_bytes) {
    out.add(kRequested, subject, static_cast<double>(*claim.requested_bytes));
  }
  for (const std::string& mode : std::set(claim.access_modes.begin(), claim.access_modes.end())) {
    out.add(kAccessMode, subject, {printable(mode)}, 1);
  }
  std::set<std::size_t> pods;
  for (const std::size_t i : subject.volumes) pods.insert(inventory.volumes[i].pod);
  for (const std::size_t i : pods) {
    const Pod& pod = inventory.pods[i];
    std::vector<std::string> labels = *subject.labels;
    labels.insert(labels.end(),
                  {printable(pod.name), printable(pod.uid), printable(pod.owner_kind),
                   printable(pod.owner_name), pod.ordinal ? std::to_string(*pod.ordinal) : "",
                   printable(pod.node)});
    out.add(kMountInfo, std::move(labels), 1);
  }
}

// All that the sampled measurers know of one target, merged.
struct Merged {
  std::optional<bool> responsive;
  std::optional<WallTime> answered_at;
  std::string problem;
  int error = 0;
  std::map<std::string, std::uint64_t> errors;

  void add(const TargetState& state) {
    if (state.responsive) responsive = responsive.value_or(true) && *state.responsive;
    if (problem.empty()) problem = state.problem;
    if (error == 0) error = state.error;
    if (state.answer) answered_at = std::max(answered_at, state.answered_at);
    for (const auto& [reason, count] : state.errors) errors[reason] += count;
  }
};

void apply(const Merged& merged, Reading& reading) {
  reading.responsive = merged.responsive;
  reading.problem = merged.problem;
  reading.error = merged.error;
}

}  // namespace

void add_inventory_metrics(const Inventory& inventory, MeasurementSet& out) {
  for (const Subject& subject : inventory.subjects) {
    if (subject.hidden) continue;
    add_info(inventory, subject, out);
    if (subject.claim) {
      add_claim(inventory, subject, out);
    } else if (const auto limit = inventory.volumes[subject.volumes.front()].size_limit) {
      out.add(kRequested, subject, static_cast<double>(*limit));
    }
  }
  for (const Filesystem& filesystem : inventory.filesystems) {
    out.add(kFsReadOnly, filesystem.labels, filesystem.mount.read_only() ? 1 : 0);
  }
}

void add_target_metrics(const std::vector<std::vector<const TargetState*>>& states, Snapshot& out) {
  const Inventory& inventory = *out.inventory;
  std::vector<Merged> merged(inventory.targets.size());
  for (const auto& list : states) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i] != nullptr) merged[i].add(*list[i]);
    }
  }
  for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
    if (const auto target = answering_target(inventory, inventory.volumes[i])) {
      apply(merged[*target], out.volumes[i]);
    }
  }
  for (std::size_t i = 0; i < inventory.filesystems.size(); ++i) {
    const Filesystem& filesystem = inventory.filesystems[i];
    const Merged& target = merged[filesystem.target];
    apply(target, out.filesystems[i]);
    if (target.responsive) {
      out.measurements.add(kFsResponsive, filesystem.labels, *target.responsive ? 1 : 0);
    }
    if (target.answered_at) {
      const std::chrono::duration<double> when = target.answered_at->time_since_epoch();
      out.measurements.add(kFsMeasured, filesystem.labels, when.count());
    }
  }
  for (const Subject& subject : inventory.subjects) {
    if (subject.hidden) continue;
    Merged all;
    std::set<std::size_t> seen;
    for (const std::size_t i : subject.volumes) {
      const auto target = answering_target(inventory, inventory.volumes[i]);
      if (!target || (subject.volumes.size() > 1 && !seen.insert(*target).second)) continue;
      if (merged[*target].responsive) {
        all.responsive = all.responsive.value_or(true) && *merged[*target].responsive;
      }
      if (inventory.volumes[i].target) {
        for (const auto& [reason, count] : merged[*target].errors) all.errors[reason] += count;
      }
    }
    if (all.responsive) out.measurements.add(kResponsive, subject, *all.responsive ? 1 : 0);
    for (const auto& [reason, count] : all.errors) {
      out.measurements.add(kErrors, subject, {reason}, static_cast<double>(count));
    }
  }
}

std::vector<const MetricDesc*> inventory_metric_families() {
  std::vector<const MetricDesc*> all = {&kMountInfo, &kFsResponsive, &kFsReadOnly, &kFsMeasured,
                                        &kAccessMode.claim};
  for (const VolumeMetric* metric :
       {&kInfo, &kRequested, &kResponsive, &kErrors, &LastMeasured::metric()}) {
    all.push_back(&metric->claim);
    all.push_back(&metric->pod);
  }
  return all;
}

}  // namespace volumeter
