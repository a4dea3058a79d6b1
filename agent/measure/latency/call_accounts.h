// Whose calls are counted where: the programs' memory, read as volumes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "measure/latency/call_memory.h"
#include "measure/latency/slot_pool.h"
#include "volumeter/inventory.h"

namespace volumeter {

// A directory that volumes are, or a filesystem that a volume has to itself: what calls are counted
// by.
struct CallDirectory {
  DeviceNumber device;
  std::uint64_t inode = 0;            // 0: the whole filesystem
  std::vector<std::size_t> subjects;  // indices into Inventory::subjects, without repetition
  // Index into Inventory::devices: the only block device that it lies on.
  std::optional<std::size_t> block_device;
};

// Those of all volumes whose directory is known and can be told from others'. `inodes`, of the
// directories, is parallel to the inventory's targets; 0: not known.
std::vector<CallDirectory> call_directories(const Inventory& inventory,
                                            const std::vector<std::uint64_t>& inodes);

// What is known of one volume.
struct CallAccount {
  CallCounts counts;
  bool wait_known = true;   // whether the syncs' time can be split, but for single calls
  bool queue_known = true;  // where a device has no requests, nobody sees them wait for it
};

// Of one thread at a time.
class CallAccounts {
 public:
  void adopt(SharedMemory memory) { memory_.emplace(std::move(memory)); }

  // Where I/O on a device (its index) is counted; absent where its times aren't known.
  using BlockSlot = std::function<std::optional<std::uint16_t>(std::size_t)>;
  // From now on calls on `inventory`'s volumes are counted, those that can be told apart.
  void watch(const Inventory& inventory, const std::vector<std::uint64_t>& inodes,
             const BlockSlot& block_slot);

  // Parallel to the inventory's subjects; absent where calls aren't counted. Any inventory.
  [[nodiscard]] std::vector<std::optional<CallAccount>> subjects(const Inventory& inventory) const;

  // Whether there is any volume whose calls can be counted.
  [[nodiscard]] bool any() const { return any_; }
  [[nodiscard]] std::uint64_t lost() const { return memory_ ? memory_->lost() : 0; }

 private:
  // The first subject's labels belong to it: another volume in the same place begins anew.
  struct Key {
    DeviceNumber device;
    std::uint64_t inode = 0;
    std::vector<std::string> owner;
    auto operator<=>(const Key&) const = default;
  };
  struct Place {
    std::uint16_t slot = 0;
    bool wait_known = false;
    bool queue_known = false;
  };

  std::optional<CallMemory> memory_;
  SlotPool<Key> pool_{CALL_SLOTS};
  std::map<std::vector<std::string>, std::vector<Place>> known_;  // by a subject's labels
  std::map<std::vector<std::string>, CallCounts> ended_;  // of places that have left, by labels
  bool any_ = false;
  std::size_t lost_ = 0;  // volumes that found no place
};

}  // namespace volumeter
