// The Snapshot: everything that is served until the next one, immutable, swapped whole. A volume
// that left the inventory takes its series with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "volumeter/inventory.h"
#include "volumeter/io_activity.h"
#include "volumeter/measurement.h"

namespace volumeter {

using WallTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

// Bytes and inodes as the kubelet's volume statistics define them
// (k8s.io/kubernetes/pkg/volume/metrics_statfs.go). Each is absent where the filesystem
// doesn't say: btrfs has no inode count.
struct Usage {
  std::optional<std::uint64_t> capacity;
  std::optional<std::uint64_t> available;  // to an unprivileged user
  std::optional<std::uint64_t> used;
  std::optional<std::uint64_t> inodes;
  std::optional<std::uint64_t> inodes_free;
  std::optional<std::uint64_t> inodes_used;

  // used/(used+available), as `df` computes it, or used/capacity where what is available isn't
  // known: above 1 when a volume holds more than it was promised. Absent when neither can be told.
  [[nodiscard]] std::optional<double> ratio() const;
  [[nodiscard]] std::optional<double> inodes_ratio() const;
};

enum class UsageMethod { kNone, kStatfs, kStatfsProject, kQuota, kCephRbytes, kWalk };
std::string_view to_string(UsageMethod method);

// What a quota or a walk said of one directory that shares its filesystem; and how far the walk
// is that is under way.
struct TreeUse {
  UsageMethod method = UsageMethod::kNone;  // none: nothing is known yet
  std::uint32_t project = 0;                // whose quota it is
  std::uint64_t inode = 0;                  // of the directory; 0: not known
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> inodes;  // files, directories and the rest
  // Enforced. With kStatfsProject, statfs answers for the project while it says these sizes.
  std::optional<std::uint64_t> limit_bytes;
  std::optional<std::uint64_t> limit_inodes;
  WallTime measured_at{};                 // when the quota was asked, or the walk began
  std::optional<WallTime> last_write;     // the newest mtime of a regular file
  std::uint64_t entries = 0;              // that the walk counted: each link
  std::chrono::duration<double> took{0};  // of a walk, with its pauses
  bool estimated = false;                 // some hard links were counted in parts

  struct Progress {
    std::uint64_t bytes = 0;
    std::uint64_t entries = 0;
    WallTime began{};
  };
  std::optional<Progress> walking;
};

// What files hold that are in no directory any more but still open: a lower bound.
struct DeletedOpen {
  std::uint64_t bytes = 0;
  WallTime measured_at{};
};

// Something about a volume that people should know, in their words.
enum class FindingKind {
  kSharing,  // for the record: Kubernetes allows it
  kExpansion,
  kAccess,  // it is used against its access modes
  kIdentity,
  kDriver,          // its driver says that it isn't well (KEP-1432)
  kKernelMessages,  // the kernel's log tells of errors there
  kDeviceErrors,
  kFilesystemErrors,
  kReadOnly,  // and nobody wished it
  kWrongMount,
  kNotMounted,
};
std::string_view to_string(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::string text;  // may hold any bytes
};

// What is known of one volume (or filesystem) now. Absent means unknown.
struct Reading {
  UsageMethod method = UsageMethod::kNone;
  std::optional<Usage> usage;
  std::optional<WallTime> measured_at;  // of `usage` and the rest of the last good answer
  std::optional<bool> responsive;       // do metadata calls return
  std::optional<bool> read_only;        // mount or superblock, as the last good answer says
  std::string problem;                  // why there is no fresh answer; empty when there is
  int error = 0;                        // errno of the last answer
  std::optional<TreeUse::Progress> walking;
  std::optional<WallTime> last_write;
  std::vector<Finding> findings;
};

// Left behind for longer than a clean-up takes.
struct OrphanReading {
  Orphan::Kind kind = Orphan::Kind::kPodDirectory;
  std::string path;
  std::string device;
  std::optional<std::uint64_t> bytes;
  WallTime since;  // the agent has seen it; it may be older
};

struct SourceState {
  std::string source;  // "apiserver", "podlogs", "mountinfo", "kubelet-directory"
  bool up = false;
  std::optional<WallTime> last_success;
  std::string problem;  // empty when up
};

struct Snapshot {
  std::shared_ptr<const Inventory> inventory;
  std::vector<Reading> volumes;                     // parallel to inventory->volumes
  std::vector<Reading> filesystems;                 // parallel to inventory->filesystems
  std::vector<TreeUse> trees;                       // parallel to inventory->targets
  std::vector<std::optional<DeletedOpen>> deleted;  // likewise
  std::vector<std::optional<IoActivity>> activity;  // parallel to inventory->subjects
  std::vector<OrphanReading> orphans;
  std::vector<SourceState> sources;
  MeasurementSet measurements;
  WallTime taken_at;
};

}  // namespace volumeter
