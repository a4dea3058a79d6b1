#include "measure/latency/latency_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace volumeter {
namespace {

static_assert(sizeof(latency_memory) < 3 << 20, "locked memory, on a node with any number of CPUs");

// Whole pages, as the kernel made the map (kernel/bpf/arraymap.c, array_map_mmap).
std::size_t mapped_size() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (sizeof(latency_memory) + page - 1) / page * page;
}

}  // namespace

Result<SharedMemory> map_latency_memory(int fd) {
  void* memory = ::mmap(nullptr, mapped_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Error::from_errno("map the programs' memory", errno);
  return SharedMemory(static_cast<latency_memory*>(memory),
                      [](latency_memory* mapped) { ::munmap(mapped, mapped_size()); });
}

}  // namespace volumeter
