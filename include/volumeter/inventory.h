// The Inventory: who uses which volume on this node, and what has to be measured for that.
//
// Immutable once built; shared between threads as shared_ptr<const Inventory>.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "volumeter/block_device.h"
#include "volumeter/mount_entry.h"
#include "volumeter/volume.h"

namespace volumeter {

// Label values in the order of a MetricDesc's label names. Shared, because every family of one
// volume carries the same ones.
using Labels = std::shared_ptr<const std::vector<std::string>>;

// One directory of one filesystem that sampled measurers touch, however many ways lead to it.
struct Target {
  DeviceNumber device;
  std::string root;    // in the filesystem
  std::string path;    // a mount point on the host that leads there
  std::string fstype;  // decides how the visibility check works
  // Every pod that uses it is being deleted: don't touch it, an unmount is due.
  bool hold = false;
  std::string below;  // from `path`, without crossing a mount; empty: what is mounted there
  // It shares its filesystem, so that only a quota or a walk tells its own use; and may be walked.
  bool walk = false;

  bool operator==(const Target&) const = default;
};

// What identifies a target from one inventory to the next. The path is part of it: a reused device
// number must not pass one volume's answers to another.
using TargetKey = std::tuple<DeviceNumber, std::string, std::string, std::string>;
inline TargetKey key_of(const Target& target) {
  return {target.device, target.root, target.path, target.below};
}

// A filesystem of the node itself, or one beneath volumes that share it.
struct Filesystem {
  MountEntry mount;
  std::size_t target = 0;
  Labels labels;  // device, mountpoint, fstype
};

// What one set of per-volume series is about: a claim, with all pods of this node that use it,
// or one pod's volume when it has no claim or the claim's name isn't known.
struct Subject {
  std::optional<std::size_t> claim;  // index into Inventory::claims
  std::vector<std::size_t> volumes;  // indices into Inventory::volumes, never empty
  // {namespace, persistentvolumeclaim}, or {namespace, pod, volume, type}.
  Labels labels;
  bool hidden = false;  // an API object's volume: shown by `df` and JSON, not in /metrics
  // Indices into Inventory::devices: those that hold it, where nothing else is on any of them.
  std::vector<std::size_t> devices;
};

// A block device and who is on it.
struct Device {
  BlockDevice block;
  // Indices into Inventory::devices: a partition's disk, a stack's members, the device that a loop
  // device's file lies on.
  std::vector<std::size_t> below;
  bool used = false;  // some volume or filesystem of the node lies directly on it
  // The subject (an index) that has it to itself: its I/O is that one's.
  std::optional<std::size_t> owner;
  Labels labels;  // device
  // The only subject that is on it or on something made of it: its troubles are that one's.
  std::optional<std::size_t> sole_user = {};

  // Whether it has series: disks and stacks, and partitions with something on them.
  [[nodiscard]] bool shown() const {
    return used || (block.disk.empty() && !block.name.starts_with("ram"));
  }
};

// I/O to a device from a pod, which can only be to the one volume that the pod has there.
struct PodDevice {
  std::size_t device = 0;
  std::size_t pod = 0;
  std::size_t subject = 0;
};

// What the kubelet holds against a pod's ephemeral-storage limit (kubernetes:
// pkg/kubelet/stats/helper.go, calcEphemeralStorage): emptyDirs and ConfigMaps on the node's disk,
// containers' logs and writable layers.
struct EphemeralStorage {
  std::size_t pod = 0;                       // index into Inventory::pods
  std::optional<std::uint64_t> limit_bytes;  // by which the pod is evicted
  std::vector<std::size_t> targets;          // each distinct
  bool complete = true;  // false: where a container's writable layer is isn't known
  Labels labels;         // namespace, pod
};

// Something on the node that was left behind, as far as this node and the API server tell.
struct Orphan {
  enum class Kind {
    kPodDirectory,  // the kubelet's, of a pod that isn't any more
    kMount,         // in such a directory, or in none
    kStaging,       // a volume that was staged, and no pod has mounted
    kLoopDevice,    // not mounted, part of nothing, and no volume's; or the kubelet's lock of one
  };
  Kind kind = Kind::kPodDirectory;
  std::string path;                    // on the host; of a loop device its file
  std::string device;                  // that it keeps, as node_exporter writes it; empty: none
  std::optional<std::size_t> target;   // whose walk tells what it holds
  std::optional<std::uint64_t> bytes;  // else the device's size

  bool operator==(const Orphan&) const = default;
};
std::string_view to_string(Orphan::Kind kind);

struct Inventory {
  // By namespace and by StorageClass: their annotations for volumeter. Those that couldn't be read
  // are absent.
  std::map<std::string, Annotations> namespace_annotations;
  std::map<std::string, Annotations> storage_class_annotations;
  std::vector<Pod> pods;
  std::vector<Claim> claims;
  std::vector<Volume> volumes;
  std::vector<Filesystem> filesystems;
  std::vector<Target> targets;
  std::vector<Subject> subjects;
  std::vector<EphemeralStorage> ephemeral;
  std::vector<Device> devices;  // phantoms left out
  std::vector<PodDevice> pod_devices;
  // Candidates: what has just been left is about to be cleaned up. Absent where nobody can tell,
  // because this node's pods aren't listed.
  std::optional<std::vector<Orphan>> orphans;
};

// What `volume` was annotated with under kAnnotationPrefix + `name`: by its claim, else its pod,
// else its namespace, else its StorageClass. Null when none says anything. `owner`, if given, gets
// the kind of the object that says it: "PersistentVolumeClaim", ...
const std::string* find_annotation(const Inventory& inventory, const Volume& volume,
                                   const std::string& name, std::string_view* owner = nullptr);

// The objects that may annotate `volume`, in that order. What an object says is null where it
// couldn't be read.
struct AnnotationPlace {
  const Annotations* says;
  std::string_view owner;  // its kind
};
std::array<AnnotationPlace, 4> annotation_places(const Inventory& inventory, const Volume& volume);

// The subject's volumes whose state counts: an orphaned directory, or a pod on its way out, must
// not make the claim that a living pod uses look unmounted. Empty when all are on their way out.
std::vector<std::size_t> volumes_in_use(const Inventory& inventory, const Subject& subject);

// The target whose answers say whether `volume` responds: its own, else its filesystem's.
inline std::optional<std::size_t> answering_target(const Inventory& inventory,
                                                   const Volume& volume) {
  if (volume.target) return volume.target;
  if (volume.filesystem) return inventory.filesystems[*volume.filesystem].target;
  return std::nullopt;
}

}  // namespace volumeter
