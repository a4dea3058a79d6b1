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

  // used/(used+available), as `df` computes it; absent when either is, or both are zero.
  [[nodiscard]] std::optional<double> ratio() const;
  [[nodiscard]] std::optional<double> inodes_ratio() const;
};

enum class UsageMethod { kNone, kStatfs };
std::string_view to_string(UsageMethod method);

// What is known of one volume (or filesystem) now. Absent means unknown.
struct Reading {
  UsageMethod method = UsageMethod::kNone;
  std::optional<Usage> usage;
  std::optional<WallTime> measured_at;  // of `usage` and the rest of the last good answer
  std::optional<bool> responsive;       // do metadata calls return
  std::optional<bool> read_only;        // mount or superblock, as the last good answer says
  std::string problem;                  // why there is no fresh answer; empty when there is
};

struct SourceState {
  std::string source;  // "apiserver", "podlogs", "mountinfo", "kubelet-directory"
  bool up = false;
  std::optional<WallTime> last_success;
  std::string problem;  // empty when up
};

struct Snapshot {
  std::shared_ptr<const Inventory> inventory;
  std::vector<Reading> volumes;      // parallel to inventory->volumes
  std::vector<Reading> filesystems;  // parallel to inventory->filesystems
  std::vector<SourceState> sources;
  MeasurementSet measurements;
  WallTime taken_at;
};

}  // namespace volumeter
