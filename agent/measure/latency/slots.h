// Which slot of the programs' memory counts for whom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "measure/latency/block_memory.h"
#include "measure/latency/slot_pool.h"
#include "volumeter/inventory.h"

namespace volumeter {

// Whose I/O is counted together: of one disk (a number alone may be another disk's tomorrow), of
// one owner, and of one cgroup where several share the device.
struct SlotKey {
  DeviceNumber device;
  std::uint64_t sequence = 0;
  std::string backing_file;
  std::vector<std::string> owner;  // a subject's labels; empty: the device's own
  std::uint64_t cgroup = 0;

  auto operator<=>(const SlotKey&) const = default;
};

SlotKey key_of_device(const Inventory& inventory, std::size_t device);
SlotKey key_of_pod(const Inventory& inventory, const PodDevice& pod_device);

// Of one thread at a time.
class Slots {
 public:
  using Visit = SlotPool<SlotKey>::Visit;
  // What to watch for `inventory`, as SlotPool::assign(). `lost` is how many got no slot.
  std::vector<BlockWatch> assign(const Inventory& inventory, const Visit& clear,
                                 const Visit& release, std::size_t& lost);

  [[nodiscard]] std::optional<std::uint16_t> find(const SlotKey& key) const {
    return pool_.find(key);
  }

 private:
  SlotPool<SlotKey> pool_{BLOCK_SLOTS};
};

}  // namespace volumeter
