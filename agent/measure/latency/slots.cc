#include "measure/latency/slots.h"

#include <algorithm>
#include <set>

namespace volumeter {

SlotKey key_of_device(const Inventory& inventory, std::size_t device) {
  const Device& d = inventory.devices[device];
  SlotKey key{d.block.number, d.block.sequence, d.block.backing_file, {}, 0};
  if (d.owner) key.owner = *inventory.subjects[*d.owner].labels;
  return key;
}

SlotKey key_of_pod(const Inventory& inventory, const PodDevice& pod_device) {
  const BlockDevice& block = inventory.devices[pod_device.device].block;
  return {block.number, block.sequence, block.backing_file,
          *inventory.subjects[pod_device.subject].labels,
          inventory.pods[pod_device.pod].cgroup.value_or(0)};
}

std::vector<BlockWatch> Slots::assign(const Inventory& inventory, const Visit& clear,
                                      const Visit& release, std::size_t& lost) {
  std::vector<SlotKey> keys;
  std::vector<BlockWatch> wanted;
  std::set<std::size_t> split;
  for (const PodDevice& pod : inventory.pod_devices) {
    split.insert(pod.device);
    keys.push_back(key_of_pod(inventory, pod));
    wanted.push_back({keys.back().device, keys.back().cgroup, 0, 0});
  }
  std::vector<std::size_t> devices;
  for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
    if (inventory.devices[i].owner || inventory.devices[i].shown()) devices.push_back(i);
  }
  // Should there be too few slots, volumes come first.
  std::stable_partition(devices.begin(), devices.end(), [&](std::size_t device) {
    return inventory.devices[device].owner || inventory.devices[device].used;
  });
  for (const std::size_t i : devices) {
    const Device& device = inventory.devices[i];
    BlockWatch watch{device.block.number, 0, 0, 0};
    if (device.block.bio_based) watch.flags |= BLOCK_BIO_BASED;
    if (split.contains(i)) watch.flags |= BLOCK_SPLIT;
    keys.push_back(key_of_device(inventory, i));
    wanted.push_back(watch);
  }

  const auto slots = pool_.assign(keys, clear, release);
  std::vector<BlockWatch> watches;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!slots[i]) {
      ++lost;
      continue;
    }
    wanted[i].slot = *slots[i];
    watches.push_back(wanted[i]);
  }
  return watches;
}

}  // namespace volumeter
