// What has been counted for whom: the programs' memory, read as volumes and devices.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "measure/latency/block_memory.h"
#include "measure/latency/slots.h"
#include "volumeter/inventory.h"

namespace volumeter {

// What is known of one volume or device.
struct BlockAccount {
  BlockCounts counts;
  // Where flushes are requests they are the disk's, which counts them itself (/proc/diskstats).
  bool flushes_known = true;
  // Bios are given to the device as they are made; and without accounting nobody notes when that
  // was.
  bool queue_known = true;
  bool whole_devices = true;  // not a pod's share of one: errors are the device's
};

// Which programs are attached.
struct BlockPrograms {
  bool requests = false;
  bool issue = false;
  bool bios = false;
};

// Whether what the device does can be timed.
bool is_timed(const BlockDevice& block, const BlockPrograms& programs);

// Of one thread at a time.
class BlockAccounts {
 public:
  void adopt(SharedMemory memory);
  [[nodiscard]] bool adopted() const { return memory_.has_value(); }

  // From now on what is on `inventory`'s devices is counted. True when some of them is new.
  bool watch(std::shared_ptr<const Inventory> inventory);

  // Parallel to the inventory's subjects, and devices: absent where it isn't counted, or not all of
  // it is. Any inventory: what isn't watched is absent.
  [[nodiscard]] std::vector<std::optional<BlockAccount>> subjects(
      const Inventory& inventory, const BlockPrograms& programs) const;
  [[nodiscard]] std::vector<std::optional<BlockAccount>> devices(
      const Inventory& inventory, const BlockPrograms& programs) const;

  // Where all of a device's I/O of an inventory that is watched is counted.
  [[nodiscard]] std::optional<std::uint16_t> slot_of(const Inventory& inventory,
                                                     std::size_t device) const;

  void set_issuing(bool attached);
  [[nodiscard]] std::uint64_t without_start() const;

 private:
  [[nodiscard]] std::optional<BlockAccount> account(const Inventory& inventory, std::size_t device,
                                                    const SlotKey& key,
                                                    const BlockPrograms& programs) const;
  void keep(const SlotKey& key, std::uint16_t slot);
  void forget();

  std::optional<BlockMemory> memory_;
  Slots slots_;
  std::shared_ptr<const Inventory> inventory_;
  // Counters that are sums must not go down because one of their parts has left: what pods that
  // have ended did to a volume's disk, and what went to a disk by partitions that were others'
  // before.
  std::map<SlotKey, BlockCounts> ended_pods_;       // by the volume and its device
  std::map<SlotKey, BlockCounts> left_partitions_;  // by the disk
  std::size_t lost_ = 0;
};

}  // namespace volumeter
