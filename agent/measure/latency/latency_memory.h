// The memory that the programs and the daemon share, mapped: reading and writing it takes no system
// call and no capability.
#pragma once

#include <atomic>
#include <memory>

#include "measure/latency/call_record.h"
#include "volumeter/result.h"

namespace volumeter {

using SharedMemory = std::shared_ptr<latency_memory>;

// `fd`: the map that holds it, of which this needs no more afterwards.
Result<SharedMemory> map_latency_memory(int fd);

// The programs change it all the time.
template <class T>
T load_shared(T& value) {
  return std::atomic_ref<T>(value).load(std::memory_order_relaxed);
}

}  // namespace volumeter
