// Usage: how full each volume is, by statfs on filesystems that a volume has to itself, and on
// the filesystems beneath shared ones. Block volumes get their size.
#pragma once

#include <memory>

#include "volumeter/measurer.h"

namespace volumeter {

// What fstatfs answers, in the units of statfs(2).
struct StatfsPayload {
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;
  std::uint64_t fragment_size = 0;
  std::uint64_t files = 0;
  std::uint64_t files_free = 0;
  std::uint64_t flags = 0;  // ST_RDONLY, ...
};

// The kubelet's arithmetic (pkg/volume/metrics_statfs.go), but absent where a filesystem answers
// nonsense: products that overflow, more free than there is, no inode count (0 or 2^64-1).
Usage to_usage(const StatfsPayload& statfs);

std::unique_ptr<Measurer> make_usage_measurer();

}  // namespace volumeter
