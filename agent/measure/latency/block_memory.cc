#include "measure/latency/block_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace volumeter {
namespace {

static_assert(sizeof(block_memory) < 2 << 20, "locked memory, on a node with any number of CPUs");

// Whole pages, as the kernel made the map (kernel/bpf/arraymap.c, array_map_mmap).
std::size_t mapped_size() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (sizeof(block_memory) + page - 1) / page * page;
}

// The programs change it all the time.
template <class T>
T load(T& value) {
  return std::atomic_ref<T>(value).load(std::memory_order_relaxed);
}

}  // namespace

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

Result<BlockMemory> BlockMemory::map(int fd) {
  void* memory = ::mmap(nullptr, mapped_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Error::from_errno("map the programs' memory", errno);
  return BlockMemory(static_cast<block_memory*>(memory));
}

BlockMemory::BlockMemory(BlockMemory&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)) {}

BlockMemory::~BlockMemory() {
  if (memory_ != nullptr) ::munmap(memory_, mapped_size());
}

std::size_t BlockMemory::watch(const std::vector<BlockWatch>& watches) {
  const std::uint32_t next = 1 - (load(memory_->active) & 1U);
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
      for (std::size_t b = 0; b < BLOCK_BUCKETS; ++b) sum.buckets[b] += load(one.buckets[b]);
      sum.device_seconds += static_cast<double>(load(one.device_ns)) / 1e9;
      sum.queue_seconds += static_cast<double>(load(one.queue_ns)) / 1e9;
    }
    counts.flushes += load(cell.flushes);
    counts.untimed += load(cell.untimed);
    counts.flush_seconds += static_cast<double>(load(cell.flush_ns)) / 1e9;
  }
  return counts;
}

void BlockMemory::clear(std::uint16_t slot) {
  std::memset(memory_->cells[slot], 0, sizeof memory_->cells[slot]);
}

void BlockMemory::set_issuing(bool attached) {
  std::atomic_ref(memory_->issuing).store(attached ? 1 : 0, std::memory_order_relaxed);
}

std::uint64_t BlockMemory::without_start() const { return load(memory_->without_start); }

}  // namespace volumeter
