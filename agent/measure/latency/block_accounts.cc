#include "measure/latency/block_accounts.h"

#include <set>
#include <string>
#include <utility>

#include "volumeter/log.h"

namespace volumeter {
namespace {

SlotKey without_cgroup(SlotKey key) {
  key.cgroup = 0;
  return key;
}

}  // namespace

bool is_timed(const BlockDevice& block, const BlockPrograms& programs) {
  if (block.bio_based) return programs.bios;
  // Without accounting a request doesn't say which partition it is for.
  return programs.requests && (block.disk.empty() || block.accounts);
}

namespace {

std::optional<std::size_t> disk_of(const Inventory& inventory, const BlockDevice& partition) {
  for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
    if (inventory.devices[i].block.name == partition.disk) return i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint16_t> BlockAccounts::slot_of(const Inventory& inventory,
                                                    std::size_t device) const {
  return slots_.find(key_of_device(inventory, device));
}

void BlockAccounts::adopt(SharedMemory memory) {
  memory_.emplace(std::move(memory));
  if (inventory_) watch(inventory_);
}

bool BlockAccounts::watch(std::shared_ptr<const Inventory> inventory) {
  const auto before = std::exchange(inventory_, inventory);
  if (!memory_) return false;
  std::size_t lost = 0;
  bool fresh = false;
  const auto clear = [&](const SlotKey&, std::uint16_t slot) {
    memory_->clear(slot);
    fresh = true;
  };
  const auto release = [&](const SlotKey& key, std::uint16_t slot) {
    inventory_ = before;  // in which it is known
    keep(key, slot);
    inventory_ = inventory;
  };
  const auto watches = slots_.assign(*inventory, clear, release, lost);
  lost += memory_->watch(watches);
  forget();
  if (std::exchange(lost_, lost) != lost && lost > 0) {
    log(LogLevel::kWarn, "too many block devices: the latency of some isn't measured",
        {{"devices", std::to_string(lost)}, {"most", std::to_string(BLOCK_SLOTS)}});
  }
  return fresh;
}

void BlockAccounts::keep(const SlotKey& key, std::uint16_t slot) {
  if (key.cgroup != 0) {
    ended_pods_[without_cgroup(key)].add(memory_->read(slot));
    return;
  }
  if (inventory_ == nullptr) return;
  for (const Device& device : inventory_->devices) {
    if (device.block.number != key.device || device.block.disk.empty()) continue;
    if (const auto disk = disk_of(*inventory_, device.block)) {
      left_partitions_[key_of_device(*inventory_, *disk)].add(memory_->read(slot));
    }
  }
}

void BlockAccounts::forget() {
  std::set<SlotKey> shares;
  for (const PodDevice& pod : inventory_->pod_devices) {
    shares.insert(without_cgroup(key_of_pod(*inventory_, pod)));
  }
  std::erase_if(ended_pods_, [&](const auto& entry) { return !shares.contains(entry.first); });
  std::erase_if(left_partitions_, [&](const auto& entry) { return !slots_.find(entry.first); });
}

std::optional<BlockAccount> BlockAccounts::account(const Inventory& inventory, std::size_t device,
                                                   const SlotKey& key,
                                                   const BlockPrograms& programs) const {
  const BlockDevice& block = inventory.devices[device].block;
  const auto slot = memory_ ? slots_.find(key) : std::nullopt;
  if (!slot || !is_timed(block, programs)) return std::nullopt;
  BlockAccount account{memory_->read(*slot), key.cgroup == 0 && block.bio_based,
                       !block.bio_based && block.accounts, key.cgroup == 0};
  // Part of it went by unseen: no part is better than a part.
  if (account.counts.untimed > 0 && !programs.issue) return std::nullopt;
  return account;
}

std::vector<std::optional<BlockAccount>> BlockAccounts::subjects(
    const Inventory& inventory, const BlockPrograms& programs) const {
  std::vector<std::optional<BlockAccount>> all(inventory.subjects.size());
  const auto add = [&](std::size_t subject, const BlockAccount& more) {
    if (!all[subject]) all[subject].emplace();
    all[subject]->counts.add(more.counts);
    all[subject]->flushes_known = all[subject]->flushes_known && more.flushes_known;
    all[subject]->queue_known = all[subject]->queue_known && more.queue_known;
    all[subject]->whole_devices = all[subject]->whole_devices && more.whole_devices;
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::size_t device : inventory.subjects[i].devices) {
      const auto one = account(inventory, device, key_of_device(inventory, device), programs);
      if (!one) {
        all[i].reset();
        break;
      }
      add(i, *one);
    }
  }
  std::set<SlotKey> done;
  for (const PodDevice& pod : inventory.pod_devices) {
    const SlotKey key = key_of_pod(inventory, pod);
    const auto one = account(inventory, pod.device, key, programs);
    if (!one) continue;
    add(pod.subject, *one);
    const auto ended = ended_pods_.find(without_cgroup(key));
    if (ended != ended_pods_.end() && done.insert(ended->first).second) {
      add(pod.subject, {ended->second, false, true, false});
    }
  }
  return all;
}

std::vector<std::optional<BlockAccount>> BlockAccounts::devices(
    const Inventory& inventory, const BlockPrograms& programs) const {
  std::vector<std::optional<BlockAccount>> all(inventory.devices.size());
  std::vector<SlotKey> keys;
  for (std::size_t i = 0; i < all.size(); ++i) {
    keys.push_back(key_of_device(inventory, i));
    all[i] = account(inventory, i, keys[i], programs);
  }
  // What went to its partitions went to the disk.
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto disk = disk_of(inventory, inventory.devices[i].block);
    if (disk && all[i] && all[*disk]) all[*disk]->counts.add(all[i]->counts);
    const auto left = left_partitions_.find(keys[i]);
    if (all[i] && left != left_partitions_.end()) all[i]->counts.add(left->second);
  }
  return all;
}

void BlockAccounts::set_issuing(bool attached) {
  if (memory_) memory_->set_issuing(attached);
}

std::uint64_t BlockAccounts::without_start() const {
  return memory_ ? memory_->without_start() : 0;
}

}  // namespace volumeter
