#include "measure/latency/block_memory.h"

#include <atomic>
#include <cstring>

namespace volumeter {
void BlockCounts::add(const BlockCounts& other) {
  for (std::size_t i = 0; i < operations.size(); ++i) {
    for (std::size_t b = 0; b < BLOCK_BUCKETS; ++b) {
      operations[i].buckets[b] += other.operations[i].buckets[b];
    }
    operations[i].device_seconds += other.operations[i].device_seconds;
    operations[i].queue_seconds += other.operations[i].queue_seconds;
  }
  flushes += other.flushes;
  flush_seconds += other.flush_seconds;
  untimed += other.untimed;
  errors += other.errors;
}

std::size_t fill_table(const std::vector<BlockWatch>& watches, block_entry* table) {
  std::size_t lost = 0;
  for (const BlockWatch& watch : watches) {
    const std::uint32_t device = watch.device.major << 20U | watch.device.minor;
    const std::uint32_t hash = block_hash(device, watch.cgroup);
    block_entry* found = nullptr;
    for (std::uint32_t i = 0; i < BLOCK_PROBES && found == nullptr; ++i) {
      block_entry& entry = table[(hash + i) & (BLOCK_ENTRIES - 1)];
      if (entry.device == 0) found = &entry;
    }
    if (found == nullptr) {
      ++lost;
    } else {
      *found = {watch.cgroup, device, watch.slot, watch.flags};
    }
  }
  return lost;
}

std::size_t BlockMemory::watch(const std::vector<BlockWatch>& watches) {
  const std::uint32_t next = 1 - (load_shared(memory_->active) & 1U);
  std::memset(memory_->tables[next], 0, sizeof memory_->tables[next]);
  const std::size_t lost = fill_table(watches, memory_->tables[next]);
  std::atomic_ref(memory_->active).store(next, std::memory_order_release);
  return lost;
}

BlockCounts BlockMemory::read(std::uint16_t slot) const {
  BlockCounts counts;
  for (std::size_t shard = 0; shard < BLOCK_SHARDS; ++shard) {
    block_cell& cell = memory_->cells[slot][shard];
    for (std::size_t i = 0; i < counts.operations.size(); ++i) {
      BlockCounts::Operation& sum = counts.operations[i];
      block_operation& one = cell.operations[i];
      for (std::size_t b = 0; b < BLOCK_BUCKETS; ++b) sum.buckets[b] += load_shared(one.buckets[b]);
      sum.device_seconds += static_cast<double>(load_shared(one.device_ns)) / 1e9;
      sum.queue_seconds += static_cast<double>(load_shared(one.queue_ns)) / 1e9;
    }
    counts.flushes += load_shared(cell.flushes);
    counts.untimed += load_shared(cell.untimed);
    counts.errors += load_shared(cell.errors);
    counts.flush_seconds += static_cast<double>(load_shared(cell.flush_ns)) / 1e9;
  }
  return counts;
}

void BlockMemory::clear(std::uint16_t slot) {
  std::memset(memory_->cells[slot], 0, sizeof memory_->cells[slot]);
}

void BlockMemory::set_issuing(bool attached) {
  std::atomic_ref(memory_->issuing).store(attached ? 1 : 0, std::memory_order_relaxed);
}

std::uint64_t BlockMemory::without_start() const { return load_shared(memory_->without_start); }

}  // namespace volumeter
