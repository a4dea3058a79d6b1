// Which slot of the programs' memory counts for whom.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "measure/latency/block_memory.h"
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

// Slots keep their counts as long as somebody has them. Of one thread at a time.
class Slots {
 public:
  Slots();

  using Visit = std::function<void(const SlotKey&, std::uint16_t)>;
  // What to watch for `inventory`: each key keeps its slot, new ones get slots that `clear` has
  // been called for, the others lose theirs to `release` first. `lost` is how many got none.
  std::vector<BlockWatch> assign(const Inventory& inventory, const Visit& clear,
                                 const Visit& release, std::size_t& lost);

  [[nodiscard]] std::optional<std::uint16_t> find(const SlotKey& key) const;

 private:
  std::map<SlotKey, std::uint16_t> used_;
  std::deque<std::uint16_t> free_;  // the longest unused first: a completion may be under way
};

}  // namespace volumeter
