// What the daemon and a worker say to each other, one SOCK_SEQPACKET message each. Both ends are
// the same binary, so the structs need no version.
#pragma once

#include <array>
#include <climits>
#include <cstdint>

#include "volumeter/measurer.h"
#include "volumeter/mount_entry.h"

namespace volumeter {

// How a worker makes sure that it reached the filesystem of the mount table.
enum class VisibilityCheck : std::uint32_t {
  kDeviceNumber,  // st_dev equals the mount's
  kMountRoot,     // btrfs: st_dev is the subvolume's own number, so: it is some mount's root
};

struct WorkerRequest {
  std::uint64_t id = 0;
  std::uint32_t function = 0;  // index into the list both ends know
  VisibilityCheck check = VisibilityCheck::kDeviceNumber;
  DeviceNumber device;
  std::uint32_t path_length = 0;
  std::array<char, PATH_MAX> path{};  // only path_length + 1 bytes are sent
};

struct WorkerReply {
  std::uint64_t id = 0;
  std::uint64_t duration_ns = 0;  // open to close
  SampleAnswer answer;
};

// A worker stuck longer than this answers ECANCELED to what has queued up behind: the daemon has
// given it to others, and by now it may be about to be unmounted.
inline constexpr std::uint64_t kStallNs = 100'000'000;

inline constexpr int kWorkerSocket = 3;

}  // namespace volumeter
