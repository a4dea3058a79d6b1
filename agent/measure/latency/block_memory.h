// The daemon's end of the memory that block.bpf.c counts in (block_record.h).
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "measure/latency/latency_memory.h"
#include "volumeter/mount_entry.h"

namespace volumeter {

// What has been counted in a slot, over all CPUs.
struct BlockCounts {
  struct Operation {
    std::array<std::uint64_t, BLOCK_BUCKETS> buckets{};
    double device_seconds = 0;
    double queue_seconds = 0;
  };
  std::array<Operation, 2> operations;  // BLOCK_READ, BLOCK_WRITE
  std::uint64_t flushes = 0;
  double flush_seconds = 0;
  std::uint64_t untimed = 0;  // that are in none of the above
  std::uint64_t errors = 0;   // of a whole device

  void add(const BlockCounts& other);
};

// A device, or a cgroup's share of one, that is counted in `slot`.
struct BlockWatch {
  DeviceNumber device;
  std::uint64_t cgroup = 0;
  std::uint16_t slot = 0;
  std::uint16_t flags = 0;
};

// Fills `table` (BLOCK_ENTRIES empty entries). Returns how many found no place.
std::size_t fill_table(const std::vector<BlockWatch>& watches, block_entry* table);

// Of one thread at a time.
class BlockMemory {
 public:
  explicit BlockMemory(SharedMemory memory)
      : shared_(std::move(memory)), memory_(&shared_->block) {}

  // From now on these are watched, and nothing else. Returns how many found no place.
  std::size_t watch(const std::vector<BlockWatch>& watches);
  [[nodiscard]] BlockCounts read(std::uint16_t slot) const;
  // Of a slot that nothing has been counted in for a while.
  void clear(std::uint16_t slot);

  void set_issuing(bool attached);
  // How many requests didn't know when the device was given them, so far.
  [[nodiscard]] std::uint64_t without_start() const;

 private:
  SharedMemory shared_;
  block_memory* memory_;
};

}  // namespace volumeter
