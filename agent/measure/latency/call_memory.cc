#include "measure/latency/call_memory.h"

#include <cstring>

namespace volumeter {
namespace {

double seconds(__u64& ns) { return static_cast<double>(load_shared(ns)) / 1e9; }

bool enter(const CallWatch& watch, call_entry* table) {
  const std::uint32_t device = watch.device.major << 20U | watch.device.minor;
  const std::uint32_t hash = block_hash(device, watch.inode);
  for (std::uint32_t i = 0; i < CALL_PROBES; ++i) {
    call_entry& entry = table[(hash + i) & (CALL_ENTRIES - 1)];
    if (entry.device != 0) continue;
    entry = {watch.inode, device, watch.slot, watch.block_slot};
    return true;
  }
  return false;
}

}  // namespace

void CallCounts::add(const CallCounts& other) {
  for (std::size_t i = 0; i < operations.size(); ++i) {
    for (std::size_t b = 0; b < BLOCK_BUCKETS; ++b) {
      operations[i].buckets[b] += other.operations[i].buckets[b];
    }
    operations[i].seconds += other.operations[i].seconds;
  }
  device_seconds += other.device_seconds;
  queue_seconds += other.queue_seconds;
  above_seconds += other.above_seconds;
}

std::size_t CallMemory::watch(const std::vector<CallWatch>& watches) {
  const std::uint32_t next = 1 - (load_shared(memory_->active) & 1U);
  std::memset(memory_->tables[next], 0, sizeof memory_->tables[next]);
  std::size_t lost = 0;
  for (const CallWatch& watch : watches) lost += enter(watch, memory_->tables[next]) ? 0 : 1;
  std::atomic_ref(memory_->active).store(next, std::memory_order_release);
  return lost;
}

CallCounts CallMemory::read(std::uint16_t slot) const {
  CallCounts counts;
  for (call_cell& cell : memory_->cells[slot]) {
    for (std::size_t i = 0; i < counts.operations.size(); ++i) {
      for (std::size_t b = 0; b < BLOCK_BUCKETS; ++b) {
        counts.operations[i].buckets[b] += load_shared(cell.operations[i].buckets[b]);
      }
      counts.operations[i].seconds += seconds(cell.operations[i].ns);
    }
    counts.device_seconds += seconds(cell.device_ns);
    counts.queue_seconds += seconds(cell.queue_ns);
    counts.above_seconds += seconds(cell.above_ns);
  }
  return counts;
}

void CallMemory::clear(std::uint16_t slot) {
  std::atomic_ref(memory_->generations[slot]).fetch_add(1, std::memory_order_relaxed);
  std::memset(memory_->cells[slot], 0, sizeof memory_->cells[slot]);
}

std::uint64_t CallMemory::lost() const { return load_shared(memory_->lost); }

}  // namespace volumeter
