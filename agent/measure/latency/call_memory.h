// The daemon's end of the memory that call.bpf.c counts in (call_record.h).
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "measure/latency/latency_memory.h"
#include "volumeter/mount_entry.h"

namespace volumeter {

// What has been counted in a slot, over all CPUs.
struct CallCounts {
  struct Times {
    std::array<std::uint64_t, BLOCK_BUCKETS> buckets{};
    double seconds = 0;
  };
  std::array<Times, CALL_OPERATIONS> operations;
  // Of the syncs' time, where it could be told.
  double device_seconds = 0;  // the device was at work
  double queue_seconds = 0;   // requests waited for it
  double above_seconds = 0;   // it had nothing to do

  void add(const CallCounts& other);
};

// A directory, or a whole filesystem (inode 0), that is counted in `slot`; CALL_SHARED: other
// watches say where in the filesystem.
struct CallWatch {
  DeviceNumber device;
  std::uint64_t inode = 0;
  std::uint16_t slot = CALL_SHARED;
  std::uint16_t block_slot = CALL_NO_DEVICE;
};

// Of one thread at a time.
class CallMemory {
 public:
  explicit CallMemory(SharedMemory memory) : shared_(std::move(memory)), memory_(&shared_->call) {}

  // From now on these are watched, and nothing else. Returns how many found no place.
  std::size_t watch(const std::vector<CallWatch>& watches);
  [[nodiscard]] CallCounts read(std::uint16_t slot) const;
  // Of a slot that nothing has been counted in for a while.
  void clear(std::uint16_t slot);
  // Calls that weren't timed, because too many were under way.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  SharedMemory shared_;
  call_memory* memory_;
};

}  // namespace volumeter
