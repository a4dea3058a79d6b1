#include "measure/latency/slots.h"

#include <algorithm>
#include <set>
#include <utility>

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

Slots::Slots() {
  for (std::uint16_t slot = 0; slot < BLOCK_SLOTS; ++slot) free_.push_back(slot);
}

std::optional<std::uint16_t> Slots::find(const SlotKey& key) const {
  const auto it = used_.find(key);
  return it == used_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<BlockWatch> Slots::assign(const Inventory& inventory, const Visit& clear,
                                      const Visit& release, std::size_t& lost) {
  std::vector<std::pair<SlotKey, BlockWatch>> wanted;
  std::set<std::size_t> split;
  for (const PodDevice& pod : inventory.pod_devices) {
    split.insert(pod.device);
    SlotKey key = key_of_pod(inventory, pod);
    const BlockWatch watch{key.device, key.cgroup, 0, 0};
    wanted.emplace_back(std::move(key), watch);
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
    wanted.emplace_back(key_of_device(inventory, i), watch);
  }

  std::map<SlotKey, std::uint16_t> now;
  for (const auto& [key, watch] : wanted) {
    if (const auto node = used_.extract(key); !node.empty()) now[key] = node.mapped();
  }
  for (const auto& [key, slot] : used_) release(key, slot);
  std::vector<BlockWatch> watches;
  for (auto& [key, watch] : wanted) {
    auto it = now.find(key);
    if (it == now.end() && !free_.empty()) {
      clear(key, free_.front());
      it = now.emplace(key, free_.front()).first;
      free_.pop_front();
    }
    if (it == now.end()) {
      ++lost;
      continue;
    }
    watch.slot = it->second;
    watches.push_back(watch);
  }
  // Not before: the table in use still leads to them.
  for (const auto& [key, slot] : used_) free_.push_back(slot);
  used_ = std::move(now);
  return watches;
}

}  // namespace volumeter
