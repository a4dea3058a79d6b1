#include "measure/latency/call_accounts.h"

#include <algorithm>
#include <set>
#include <utility>

#include "volumeter/log.h"

namespace volumeter {
namespace {

struct Found {
  std::string path;  // in the filesystem
  CallDirectory directory;
  bool ambiguous = false;
};

std::optional<std::size_t> only_device(const Volume& volume) {
  return volume.devices.size() == 1 ? std::optional(volume.devices.front()) : std::nullopt;
}

bool is_watched(const Volume& volume) {
  return volume.target && volume.mode != VolumeMode::kBlock && !volume.window;
}

// "/a/b", however it was divided.
std::string path_of(const Target& target) {
  std::string path = target.root + "/" + target.below;
  path.erase(std::unique(path.begin(), path.end(),
                         [](char one, char next) { return one == '/' && next == '/'; }),
             path.end());
  if (path.ends_with('/')) path.pop_back();
  return path;
}

// Filesystems with volumes that are directories of them.
std::set<DeviceNumber> shared_filesystems(const Inventory& inventory) {
  std::set<DeviceNumber> all;
  for (const Volume& volume : inventory.volumes) {
    if (!is_watched(volume) || !volume.shares_filesystem) continue;
    all.insert(inventory.targets[*volume.target].device);
  }
  return all;
}

}  // namespace

std::vector<CallDirectory> call_directories(const Inventory& inventory,
                                            const std::vector<std::uint64_t>& inodes) {
  const std::set<DeviceNumber> shared = shared_filesystems(inventory);
  std::map<std::pair<DeviceNumber, std::uint64_t>, Found> found;
  for (std::size_t i = 0; i < inventory.subjects.size(); ++i) {
    if (inventory.subjects[i].hidden) continue;
    for (const std::size_t v : inventory.subjects[i].volumes) {
      const Volume& volume = inventory.volumes[v];
      if (!is_watched(volume)) continue;
      const Target& target = inventory.targets[*volume.target];
      const bool whole = !shared.contains(target.device);
      const std::uint64_t inode = whole ? 0 : inodes[*volume.target];
      if (!whole && inode == 0) continue;
      const std::string path = whole ? "" : path_of(target);
      const CallDirectory directory{target.device, inode, {}, only_device(volume)};
      Found& one =
          found.try_emplace({target.device, inode}, Found{path, directory, false}).first->second;
      // Each of a btrfs's subvolumes has a root with the same number.
      if (one.path != path) one.ambiguous = true;
      auto& subjects = one.directory.subjects;
      if (std::find(subjects.begin(), subjects.end(), i) == subjects.end()) subjects.push_back(i);
    }
  }
  std::vector<CallDirectory> all;
  for (auto& [key, one] : found) {
    if (!one.ambiguous) all.push_back(std::move(one.directory));
  }
  return all;
}

void CallAccounts::watch(const Inventory& inventory, const std::vector<std::uint64_t>& inodes,
                         const BlockSlot& block_slot) {
  const auto directories = call_directories(inventory, inodes);
  any_ = !directories.empty();
  if (!memory_) return;
  std::vector<Key> keys;
  for (const CallDirectory& directory : directories) {
    const Subject& first = inventory.subjects[directory.subjects.front()];
    keys.push_back({directory.device, directory.inode, *first.labels});
  }
  // A sum must not go down because one of its parts has left.
  const auto slots = pool_.assign(
      keys, [&](const Key&, std::uint16_t slot) { memory_->clear(slot); },
      [&](const Key& key, std::uint16_t slot) { ended_[key.owner].add(memory_->read(slot)); });
  std::set<std::vector<std::string>> here;
  for (const Subject& subject : inventory.subjects) here.insert(*subject.labels);
  std::erase_if(ended_, [&](const auto& entry) { return !here.contains(entry.first); });
  std::vector<CallWatch> watches;
  std::set<DeviceNumber> shared;
  std::size_t lost = 0;
  known_.clear();
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const CallDirectory& directory = directories[i];
    if (!slots[i]) {
      ++lost;
      continue;
    }
    const auto block = directory.block_device ? block_slot(*directory.block_device) : std::nullopt;
    if (directory.inode != 0 && shared.insert(directory.device).second) {
      watches.push_back({directory.device, 0, CALL_SHARED, CALL_NO_DEVICE});
    }
    watches.push_back({directory.device, directory.inode, *slots[i],
                       block.value_or(std::uint16_t{CALL_NO_DEVICE})});
    const Place place{*slots[i], block.has_value(),
                      block && !inventory.devices[*directory.block_device].block.bio_based};
    for (const std::size_t subject : directory.subjects) {
      known_[*inventory.subjects[subject].labels].push_back(place);
    }
  }
  lost += memory_->watch(watches);
  if (std::exchange(lost_, lost) != lost && lost > 0) {
    log(LogLevel::kWarn, "too many volumes: the calls on some aren't timed",
        {{"volumes", std::to_string(lost)}, {"most", std::to_string(CALL_SLOTS)}});
  }
}

std::vector<std::optional<CallAccount>> CallAccounts::subjects(const Inventory& inventory) const {
  std::vector<std::optional<CallAccount>> all(inventory.subjects.size());
  if (!memory_) return all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto it = known_.find(*inventory.subjects[i].labels);
    if (it == known_.end()) continue;
    all[i].emplace();
    if (const auto ended = ended_.find(it->first); ended != ended_.end()) {
      all[i]->counts.add(ended->second);
    }
    for (const Place& place : it->second) {
      all[i]->counts.add(memory_->read(place.slot));
      all[i]->wait_known = all[i]->wait_known && place.wait_known;
      all[i]->queue_known = all[i]->queue_known && place.queue_known;
    }
  }
  return all;
}

}  // namespace volumeter
