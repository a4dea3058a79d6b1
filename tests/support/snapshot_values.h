// Questions that tests ask snapshots.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "volumeter/snapshot.h"

namespace volumeter::test {

// The series of `name` whose label values include all of `labels`; absent when there is none.
inline std::optional<double> value_of(const MeasurementSet& set, const std::string& name,
                                      const std::vector<std::string>& labels = {}) {
  for (const Family& family : set.families()) {
    if (family.desc->name != name) continue;
    for (const Series& series : family.series) {
      const bool all = std::all_of(labels.begin(), labels.end(), [&](const std::string& label) {
        return std::find(series.labels->begin(), series.labels->end(), label) !=
               series.labels->end();
      });
      if (all) return series.value;
    }
  }
  return std::nullopt;
}

inline std::string finding_of(const Reading& reading, FindingKind kind) {
  for (const Finding& finding : reading.findings) {
    if (finding.kind == kind) return finding.text;
  }
  return {};
}

// A snapshot of one claim, "ns/data-db-0", which one pod, db-0, uses; more can be added.
class OneClaim {
 public:
  OneClaim() {
    Claim claim;
    claim.namespace_ = "ns";
    claim.name = "data-db-0";
    claim.access_modes = {"ReadWriteOnce"};
    inventory.claims.push_back(claim);
    Subject subject;
    subject.claim = 0;
    subject.labels = make_labels({"ns", "data-db-0"});
    inventory.subjects.push_back(subject);
    add_pod("db-0", 0);
  }

  void add_pod(const std::string& name, int ordinal) {
    Pod pod;
    pod.uid = "uid-" + name;
    pod.namespace_ = "ns";
    pod.name = name;
    pod.owner_kind = "StatefulSet";
    pod.owner_name = "db";
    pod.ordinal = ordinal;
    pod.known = true;
    Volume volume;
    volume.pod = inventory.pods.size();
    volume.name = "data";
    volume.kind = VolumeKind::kCsi;
    volume.claim = 0;
    volume.mounted = true;
    volume.mount.emplace().fstype = "ext4";
    inventory.subjects[0].volumes.push_back(inventory.volumes.size());
    inventory.pods.push_back(pod);
    inventory.volumes.push_back(volume);
  }

  Volume& volume() { return inventory.volumes[0]; }
  Claim& claim() { return inventory.claims[0]; }

  Snapshot snapshot() const {
    Snapshot out;
    out.inventory = std::make_shared<const Inventory>(inventory);
    out.volumes.resize(inventory.volumes.size());
    out.filesystems.resize(inventory.filesystems.size());
    out.trees.resize(inventory.targets.size());
    out.activity.resize(inventory.subjects.size());
    out.taken_at = WallTime(std::chrono::seconds(1'795'000'000));
    return out;
  }

  Inventory inventory;
};

}  // namespace volumeter::test
