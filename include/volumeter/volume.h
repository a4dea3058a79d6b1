// A Volume is one entry of one pod's `volumes`, as found on this node.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "volumeter/mount_entry.h"

namespace volumeter {

enum class VolumeKind {
  kCsi,
  kLocal,
  kHostPath,
  kEmptyDir,
  kConfigMap,
  kSecret,
  kProjected,
  kDownwardApi,
  kImage,
  kNfs,
  kIscsi,
  kFc,
  kRbd,
  kCephFs,
  kCloudDisk,  // the in-tree awsElasticBlockStore, gcePersistentDisk, azureDisk, cinder, ...
  kUnknown,
};

// The volume source's field name in the pod or PersistentVolume spec: "csi", "emptyDir", ...
std::string_view to_string(VolumeKind kind);

// True for volumes that hold API objects rather than the workload's data: configMap, secret,
// projected, downwardAPI.
bool is_api_object(VolumeKind kind);

enum class VolumeMode { kFilesystem, kBlock };
std::string_view to_string(VolumeMode mode);

// Kubernetes annotations that are meant for volumeter; the others are nobody's business here.
inline constexpr std::string_view kAnnotationPrefix = "volumeter.io/";
using Annotations = std::map<std::string, std::string>;

struct Pod {
  std::string uid;
  std::string namespace_;  // empty when no source of names knows this pod
  std::string name;        // likewise
  std::string node;
  std::string owner_kind;  // "StatefulSet", "Deployment", "Job", "DaemonSet", ... or empty
  std::string owner_name;
  std::optional<int> ordinal;  // of a StatefulSet's pod
  bool deleting = false;       // has a deletionTimestamp
  bool ended = false;          // Succeeded or Failed
  bool known = false;          // the API server lists it; else it may be an orphaned directory
  Annotations annotations;
  // Of its cgroup in the hierarchy that block I/O is accounted in (kernfs_node::id); not known
  // before it has one.
  std::optional<std::uint64_t> cgroup;

  // The kubelet unmounts its volumes, or is about to: they must not be touched.
  [[nodiscard]] bool leaving() const { return deleting || ended; }

  bool operator==(const Pod&) const = default;
};

struct Claim {
  std::string namespace_;
  std::string name;
  std::optional<std::uint64_t> requested_bytes;  // spec.resources.requests.storage
  std::vector<std::string> access_modes;
  Annotations annotations;
  bool read = false;  // from the API server: the annotations are all there are
  // status.capacity: what the kubelet has last seen to, where a filesystem had to grow too.
  std::optional<std::uint64_t> granted_bytes = {};
  // When an expansion that isn't over came to where it is now (status.conditions); and what went
  // wrong with it, as its controller or the kubelet say.
  std::optional<std::chrono::sys_seconds> resizing_since = {};
  bool resize_failed = false;
  // Whether its driver says that the volume isn't well (KEP-1432); the kubelet must have been
  // asked.
  std::optional<bool> abnormal = {};

  bool operator==(const Claim&) const = default;
};

// Whether pods of several nodes can use it at a time (ReadWriteMany, ReadOnlyMany).
bool on_several_nodes(const Claim& claim);

// Whether every access mode it asks for is ReadOnlyMany.
bool is_read_only(const Claim& claim);

// What is mounted, held against what the PersistentVolume, the kubelet's own files and the other
// mounts of this volume say it should be.
struct MountPromises {
  int compared = 0;                 // 0: nothing was promised that can be seen in the mount table
  std::vector<std::string> broken;  // each a sentence for people
};

struct Volume {
  std::size_t pod = 0;  // index into Inventory::pods
  std::string name;     // pod.spec.volumes[].name; the directory's name when that isn't known
  VolumeKind kind = VolumeKind::kUnknown;
  VolumeMode mode = VolumeMode::kFilesystem;

  std::optional<std::size_t> claim;  // index into Inventory::claims
  std::string persistent_volume;
  std::string storage_class;
  std::string reclaim_policy;
  std::string csi_driver;
  std::string volume_handle;
  std::optional<std::uint64_t> size_limit;    // of an emptyDir, in bytes
  std::optional<std::uint64_t> volume_bytes;  // spec.capacity of its PersistentVolume
  bool wants_read_only = false;  // the pod's spec, the PersistentVolume or the claim's modes say so

  std::string path;      // on the host; empty when not known
  bool mounted = false;  // for a directory kind (emptyDir, hostPath): it is there
  // A mounting plugin's directory that isn't a mount point is *not mounted*: what is written
  // there lands on the node's root disk.
  bool mount_expected = true;
  // Not mounted, and its pod hasn't started: the kubelet may still be at it.
  bool mount_awaited = false;
  // Not mounted: the directory on the node's disk that takes what is written (index into
  // Inventory::targets).
  std::optional<std::size_t> bare_directory;

  // It holds the kubelet's directory or containers' layers: what is done there is the node's.
  bool window = false;

  // The filesystem that answers for `path`; absent when not mounted and for block volumes.
  std::optional<MountEntry> mount;
  MountPromises promises;
  // The filesystem holds more than this volume, so its numbers are not this volume's.
  bool shares_filesystem = false;
  std::optional<std::size_t> target;      // index into Inventory::targets
  std::optional<std::size_t> filesystem;  // index into Inventory::filesystems, where shared

  std::string device;                // as node_exporter writes it: "nvme0n1"
  std::vector<std::size_t> devices;  // indices into Inventory::devices: what it directly lies on
  std::optional<std::uint64_t> device_bytes;  // block volumes only
};

}  // namespace volumeter
