// What workers that may list directories do (workers/protocol.h, WorkerProfile::kListing): slices
// of walks, and looks at quotas. Both ends of the conversation are here.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "volumeter/measurer.h"

namespace volumeter {

// Indices into tree_functions().
enum TreeFunction : std::uint32_t { kWalkSlice, kQuotaLook };
std::vector<SampleFunction> tree_functions();

// So many walks can be under way in one worker, each with what it remembers: at most 3 MiB of hard
// links, and the way down to where it is.
inline constexpr std::uint32_t kWalkSlots = 8;

// The argument of a slice.
struct WalkTicket {
  std::uint32_t number = 0;  // of the walk: a slot's last one is forgotten when the next begins
  std::uint8_t slot = 0;
  bool begin = false;
  bool whatever_project = false;  // walk even if the directory belongs to a project

  [[nodiscard]] std::uint64_t packed() const;
  static WalkTicket unpacked(std::uint64_t argument);
};

// A slice's answer: sums since the walk began.
struct WalkSlice {
  enum Flags : std::uint32_t {
    kDone = 1,
    kLost = 2,     // the worker doesn't know this walk: begin again
    kProject = 4,  // not walked: the directory belongs to a project, so a quota may know
    kEstimated = 8,
    kHasWrites = 16,  // last_write_* are set
  };
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  std::uint64_t inodes = 0;
  std::uint64_t errors = 0;
  std::int64_t last_write_seconds = 0;
  std::uint32_t last_write_ns = 0;
  std::uint32_t flags = 0;
  std::uint64_t cpu_ns = 0;  // this slice's
  std::uint64_t inode = 0;   // of the directory
};

// A look's answer. The sizes are bytes.
struct QuotaLook {
  enum Flags : std::uint32_t {
    kInherits = 1,  // what is made in the directory belongs to its project too
    kCounted = 2,   // used, limit and the entries are the project's (quotactl) or ceph's own
    kCeph = 4,
  };
  std::uint32_t project = 0;
  std::uint32_t flags = 0;
  std::uint64_t inode = 0;
  std::uint64_t capacity = 0;  // as statfs says on this directory, whoever's it is
  std::uint64_t files = 0;     // f_files, likewise
  std::uint64_t used = 0;      // likewise, unless kCounted
  std::uint64_t limit = 0;     // from here on only with kCounted; 0: none
  std::uint64_t entries = 0;
  std::uint64_t entry_limit = 0;
};

}  // namespace volumeter
