// What the daemon and a worker say to each other. Requests go through a SOCK_SEQPACKET pair,
// several in one message; answers through a page that both map, which costs neither side a system
// call. Both ends are the same binary, so the structs need no version.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "volumeter/measurer.h"
#include "volumeter/mount_entry.h"

namespace volumeter {

// How a worker makes sure that it reached the filesystem of the mount table.
enum class VisibilityCheck : std::uint32_t {
  kDeviceNumber,  // st_dev equals the mount's
  kMountRoot,     // btrfs: st_dev is the subvolume's own number, so: it is some mount's root
  kBlockDevice,   // the path is a device's node, and st_rdev equals the number
};

// Followed by Target::path, a NUL, Target::below, a NUL, and padding to kRequestAlignment.
struct WorkerRequest {
  std::uint64_t id = 0;
  std::uint64_t argument = 0;  // the function's
  std::uint32_t function = 0;  // index into the list both ends know
  VisibilityCheck check = VisibilityCheck::kDeviceNumber;
  DeviceNumber device;
  std::uint32_t path_length = 0;
  std::uint32_t below_length = 0;

  [[nodiscard]] const char* path() const { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] const char* below() const { return path() + path_length + 1; }
  [[nodiscard]] std::size_t size() const;  // with all that follows
};
inline constexpr std::size_t kRequestAlignment = alignof(WorkerRequest);
inline constexpr std::size_t kMaxRequestMessage = 128 << 10;  // bytes

// What a request and its two paths, of so many bytes together, take in a message.
constexpr std::size_t request_size(std::size_t path_bytes) {
  const std::size_t size = sizeof(WorkerRequest) + path_bytes + 2;
  return (size + kRequestAlignment - 1) / kRequestAlignment * kRequestAlignment;
}
inline std::size_t WorkerRequest::size() const {
  return request_size(std::size_t{path_length} + below_length);
}

struct WorkerReply {
  std::uint64_t id = 0;
  std::uint64_t duration_ns = 0;  // open to close
  SampleAnswer answer;
};

// A worker stuck longer than this answers kCancelled to what has queued up behind: the daemon has
// given it to others, and by now it may be about to be unmounted.
inline constexpr std::uint64_t kStallNs = 100'000'000;

// The worker's answers, in the order it finished. It writes a slot and then counts; the daemon
// reads up to the count. A request has its slot before it is sent (kWindow of them at most), so a
// slot is never overwritten unread. The daemon trusts nothing here: an unknown id is ignored.
inline constexpr std::size_t kReplySlots = 256;
struct ReplyRing {
  std::atomic<std::uint64_t> ready;     // 1 once the worker has started and dropped its rights
  std::atomic<std::uint64_t> received;  // messages it has taken from the socket
  std::atomic<std::uint64_t> count;
  std::atomic<std::uint64_t> progress;  // of the request being served, as its function says
  std::atomic<std::uint64_t> stop;      // written by the daemon: the request that should end soon
  std::array<WorkerReply, kReplySlots> slots;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// What a worker may do; its second argument.
enum class WorkerProfile {
  kMetadata,  // look at what a path leads to
  kListing,   // and list directories, and ask for quotas: for walks
  kTracing,   // read from BPF programs that are loaded already; no path at all
  kProcess,   // read /proc and follow the links to processes' open files
  kProbing,   // write to unnamed files and read them, read block devices
};

inline constexpr int kWorkerSocket = 3;
inline constexpr int kWorkerReplies = 4;

}  // namespace volumeter
