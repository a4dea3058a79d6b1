#include "measure/health/mount_state.h"

#include <cerrno>
#include <optional>
#include <set>
#include <string>

#include "volumeter/human.h"

namespace volumeter {
namespace {

const VolumeMetric kMounted("mounted",
                            "1 if the volume is mounted for every pod of this node that uses it; "
                            "0: what is written there lands on the node's disk.");
const VolumeMetric kUnmountedBytes("unmounted_bytes",
                                   "Bytes that were written to the node's disk where the volume "
                                   "should be mounted.");
const VolumeMetric kMismatches("mount_mismatches",
                               "How many of the promises about what is mounted don't hold: of "
                               "the PersistentVolume, the kubelet's files, the staged mount.");
const VolumeMetric kReadOnly("read_only",
                             "1 if the volume can't be written, by cause: as the claim or pod "
                             "wishes, the mount's or superblock's flag, after an error (ext4's "
                             "emergency_ro), or shut down.",
                             MetricType::kGauge, {"cause"});

// Made once, and never written.
bool is_image_filesystem(const std::string& fstype) {
  return fstype == "squashfs" || fstype == "iso9660" || fstype == "erofs";
}

// The host's own business: what is mounted there, nobody could wish otherwise.
bool is_read_only_by_nature(const Volume& volume) {
  return is_api_object(volume.kind) || volume.kind == VolumeKind::kImage ||
         (volume.kind == VolumeKind::kHostPath && !volume.claim) ||
         is_image_filesystem(volume.mount->fstype);
}

// Of the volumes of one subject, or of one volume alone. A reader's flags don't count beside a
// writer's: they were wished.
struct ReadOnly {
  bool any = false;     // something is mounted
  bool writer = false;  // somebody didn't wish it read-only
  bool mount = false;
  bool superblock = false;
  bool emergency = false;
  bool has_emergency = false;  // ext4: the state exists
  // xfs doesn't tell in the mount table: absent before anybody has looked.
  std::optional<bool> shut_down;

  void add(const Volume& volume, const Inventory& inventory, const Reading& reading,
           const std::set<std::string>& emergencies) {
    if (!volume.mount) return;
    const MountEntry& entry = *volume.mount;
    any = true;
    if (!volume.wants_read_only && !writer) {
      writer = true;
      mount = superblock = false;
    }
    if (!volume.wants_read_only || !writer) {
      mount = mount || entry.mount_read_only;
      superblock = superblock || entry.super_read_only;
    }
    emergency = emergency || entry.emergency_read_only ||
                (entry.fstype == "ext4" && emergencies.contains(volume.device));
    has_emergency = has_emergency || entry.fstype == "ext4";
    if (entry.shut_down) shut_down = true;
    if (const auto seen = xfs_shut_down(volume, inventory, reading)) {
      shut_down = shut_down.value_or(false) || *seen;
    }
  }

  // Of an xfs that was shut down even stat of its root fails (kernel: fs/xfs/xfs_iops.c,
  // xfs_vn_getattr); on the way further down a bad block can do that, too.
  static std::optional<bool> xfs_shut_down(const Volume& volume, const Inventory& inventory,
                                           const Reading& reading) {
    if (volume.mount->fstype != "xfs" || !volume.target || reading.responsive != true) {
      return std::nullopt;
    }
    if (!inventory.targets[*volume.target].below.empty()) return std::nullopt;
    return reading.error == EIO;
  }

  [[nodiscard]] std::string why() const {
    if (shut_down == true) return "its filesystem has shut down: all that is asked of it fails";
    if (emergency) return "its filesystem lets nobody write since an error";
    if (superblock) return "its filesystem is read-only, though nobody wished that";
    return "it is mounted read-only, though nobody wished that";
  }
  [[nodiscard]] bool failed() const { return shut_down == true || emergency; }
  [[nodiscard]] bool unwished() const { return writer && (mount || superblock); }
};

void add_read_only(const Subject& subject, const ReadOnly& state, MeasurementSet& out) {
  if (!state.any) return;
  const auto add = [&](const char* cause, bool value) {
    out.add(kReadOnly, subject, {cause}, value ? 1 : 0);
  };
  add("claim", !state.writer);
  add("mount", state.mount);
  add("superblock", state.superblock);
  if (state.has_emergency || state.emergency) add("emergency", state.emergency);
  if (state.shut_down) add("shutdown", *state.shut_down);
}

// What `directory` holds, without itself.
std::optional<std::uint64_t> bytes_in(const Snapshot& snapshot, std::size_t directory) {
  const TreeUse& use = snapshot.trees[directory];
  if (use.method != UsageMethod::kWalk || !use.inodes) return std::nullopt;
  return *use.inodes <= 1 ? 0 : use.bytes;
}

std::string unmounted_text(std::optional<std::uint64_t> bytes) {
  std::string text = "nothing is mounted there: what is written lands on the node's disk";
  if (bytes && *bytes > 0) text += "; " + human_bytes(*bytes) + " has";
  return text;
}

// A pod that is starting, ending or gone: nobody writes there now. Where pods aren't listed, one
// that nobody knows is as good as any.
bool is_mount_due(const Inventory& inventory, const Volume& volume) {
  const Pod& pod = inventory.pods[volume.pod];
  const bool gone = inventory.orphans && !pod.known;
  return volume.mount_expected && !volume.mount_awaited && !pod.leaving() && !gone;
}

void judge_volume(Snapshot& snapshot, std::size_t index, const std::set<std::string>& emergencies) {
  const Inventory& inventory = *snapshot.inventory;
  const Volume& volume = inventory.volumes[index];
  Reading& reading = snapshot.volumes[index];
  if (!volume.mounted && is_mount_due(inventory, volume)) {
    const auto bytes = volume.bare_directory ? bytes_in(snapshot, *volume.bare_directory)
                                             : std::optional<std::uint64_t>();
    reading.findings.push_back({FindingKind::kNotMounted, unmounted_text(bytes)});
  }
  for (const std::string& broken : volume.promises.broken) {
    reading.findings.push_back({FindingKind::kWrongMount, broken});
  }
  ReadOnly state;
  state.add(volume, inventory, reading, emergencies);
  if (state.failed() || (state.any && state.unwished() && !is_read_only_by_nature(volume))) {
    reading.findings.push_back({FindingKind::kReadOnly, state.why()});
  }
}

void add_mounted(const Snapshot& snapshot, const Subject& subject,
                 const std::vector<std::size_t>& volumes, MeasurementSet& out) {
  const Inventory& inventory = *snapshot.inventory;
  std::optional<bool> mounted;
  std::set<std::size_t> bare;
  for (const std::size_t i : volumes) {
    const Volume& volume = inventory.volumes[i];
    // While it awaits its mount, nothing is known; once it has one, something is.
    const bool due = is_mount_due(inventory, volume);
    if (!due && !(volume.mounted && volume.mount_expected)) continue;
    mounted = mounted.value_or(true) && volume.mounted;
    if (due && volume.bare_directory) bare.insert(*volume.bare_directory);
  }
  if (mounted) out.add(kMounted, subject, *mounted ? 1 : 0);
  std::optional<std::uint64_t> bytes;
  for (const std::size_t directory : bare) {
    if (const auto more = bytes_in(snapshot, directory)) bytes = bytes.value_or(0) + *more;
  }
  if (bytes) out.add(kUnmountedBytes, subject, static_cast<double>(*bytes));
}

void add_subject(const Snapshot& snapshot, const Subject& subject,
                 const std::set<std::string>& emergencies, MeasurementSet& out) {
  const Inventory& inventory = *snapshot.inventory;
  const std::vector<std::size_t> used = volumes_in_use(inventory, subject);
  // Being unmounted is what becomes of those that leave.
  add_mounted(snapshot, subject, used, out);
  ReadOnly read_only;
  MountPromises promises;
  for (const std::size_t i : used.empty() ? subject.volumes : used) {
    const Volume& volume = inventory.volumes[i];
    read_only.add(volume, inventory, snapshot.volumes[i], emergencies);
    promises.compared += volume.promises.compared;
    promises.broken.insert(promises.broken.end(), volume.promises.broken.begin(),
                           volume.promises.broken.end());
  }
  if (promises.compared > 0) {
    out.add(kMismatches, subject, static_cast<double>(promises.broken.size()));
  }
  add_read_only(subject, read_only, out);
}

}  // namespace

std::vector<const MetricDesc*> mount_state_families() {
  std::vector<const MetricDesc*> all;
  for (const VolumeMetric* metric : {&kMounted, &kUnmountedBytes, &kMismatches, &kReadOnly}) {
    all.insert(all.end(), {&metric->claim, &metric->pod});
  }
  return all;
}

void add_mount_state(Snapshot& snapshot, const std::set<std::string>& emergencies) {
  for (std::size_t i = 0; i < snapshot.volumes.size(); ++i) {
    judge_volume(snapshot, i, emergencies);
  }
  for (const Subject& subject : snapshot.inventory->subjects) {
    if (!subject.hidden) add_subject(snapshot, subject, emergencies, snapshot.measurements);
  }
}

}  // namespace volumeter
