#include "inventory/device_map.h"

#include <algorithm>
#include <set>

#include "host/host.h"
#include "volumeter/measurement.h"

namespace volumeter {

DeviceMap::DeviceMap(const BlockDevices& devices, const MountIndex& mounts) : mounts_(mounts) {
  for (const auto& [number, block] : devices.by_number) {
    if (block.is_phantom()) continue;
    by_number_[number] = by_name_[block.name] = devices_.size();
    if (!block.mapper_name.empty()) by_name_["mapper/" + block.mapper_name] = devices_.size();
    devices_.push_back({block, {}, false, {}, make_labels({printable(block.name)})});
  }
  connect(devices);
}

void DeviceMap::connect(const BlockDevices& devices) {
  for (const auto& names : devices.btrfs) {
    std::vector<std::size_t> members;
    for (const std::string& name : names) {
      if (const auto device = named(name)) members.push_back(*device);
    }
    for (const std::size_t member : members) btrfs_[member] = members;
  }
  for (Device& device : devices_) {
    std::vector<std::string> names = device.block.below;
    names.push_back(device.block.disk);
    for (const std::string& name : names) {
      if (const auto below = named(name)) device.below.push_back(*below);
    }
    if (device.block.backing_file.empty()) continue;
    const MountEntry* mount = mounts_.covering(device.block.backing_file);
    if (mount != nullptr) device.below = beneath(*mount);
  }
}

std::optional<std::size_t> DeviceMap::named(std::string name) const {
  auto it = by_name_.find(name);
  if (it == by_name_.end()) {
    std::replace(name.begin(), name.end(), '/', '!');  // as in sysfs
    it = by_name_.find(name);
  }
  return it == by_name_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<std::size_t> DeviceMap::beneath(const MountEntry& mount) const {
  if (const auto it = by_number_.find(mount.device); it != by_number_.end()) return {it->second};
  if (!mount.upper_dir.empty()) {  // an overlay writes where its upper directory is
    const MountEntry* upper = mounts_.covering(mount.upper_dir);
    return upper == nullptr || !upper->upper_dir.empty() ? std::vector<std::size_t>()
                                                         : beneath(*upper);
  }
  // Numbers of btrfs and others are anonymous: one of the devices is the mount's source.
  if (mount.device.major != 0 || !mount.source.starts_with("/dev/")) return {};
  const auto source = named(mount.source.substr(5));
  if (!source) return {};
  const auto members = btrfs_.find(*source);
  return mount.fstype == "btrfs" && members != btrfs_.end() ? members->second
                                                            : std::vector{*source};
}

namespace {

class Shares {
 public:
  Shares(Inventory& inventory, const std::vector<std::size_t>& of_the_node)
      : inventory_(inventory), of_the_node_(of_the_node.begin(), of_the_node.end()) {
    for (std::size_t i = 0; i < inventory.subjects.size(); ++i) {
      for (const std::size_t v : inventory.subjects[i].volumes) {
        for (const std::size_t device : inventory.volumes[v].devices) users_[device].insert(i);
      }
    }
    for (const std::size_t device : of_the_node_) users_[device].insert(kNode);
    for (const auto& [device, users] : users_) {
      inventory_.devices[device].used = true;
      for (const std::size_t below : reached_from({device}, false)) {
        reachers_[below].insert(users.begin(), users.end());
      }
    }
  }

  void own() {
    for (std::size_t i = 0; i < inventory_.subjects.size(); ++i) {
      Subject& subject = inventory_.subjects[i];
      std::set<std::size_t> devices;
      bool alone = true;
      for (const std::size_t v : subject.volumes) {
        const Volume& volume = inventory_.volumes[v];
        alone = alone && !volume.shares_filesystem;
        devices.insert(volume.devices.begin(), volume.devices.end());
      }
      for (const std::size_t device : devices) alone = alone && has_alone(i, device);
      if (!alone) continue;
      subject.devices.assign(devices.begin(), devices.end());
      for (const std::size_t device : devices) inventory_.devices[device].owner = i;
    }
  }

  void find_sole_users() {
    for (const auto& [device, reachers] : reachers_) {
      if (reachers.size() == 1 && !reachers.contains(kNode)) {
        inventory_.devices[device].sole_user = *reachers.begin();
      }
    }
  }

  // A pod's I/O to a device that it has one volume on is that volume's, unless its containers'
  // layers and logs are there, too.
  void split_by_pod() {
    std::map<std::pair<std::size_t, std::size_t>, std::set<std::size_t>> subjects;  // pod, device
    for (std::size_t i = 0; i < inventory_.subjects.size(); ++i) {
      for (const std::size_t v : inventory_.subjects[i].volumes) {
        const Volume& volume = inventory_.volumes[v];
        for (const std::size_t device : reached_from(volume.devices, true)) {
          subjects[{volume.pod, device}].insert(i);
        }
      }
    }
    const std::vector<std::size_t> node(of_the_node_.begin(), of_the_node_.end());
    const std::set<std::size_t> nodes_own = reached_from(node, true);
    for (const auto& [key, there] : subjects) {
      const auto& [pod, device] = key;
      const Device& shared = inventory_.devices[device];
      const auto direct = users_.find(device);
      if (there.size() != 1 || shared.owner || nodes_own.contains(device)) continue;
      if (direct == users_.end() || !direct->second.contains(*there.begin())) continue;
      if (inventory_.pods[pod].cgroup) {
        inventory_.pod_devices.push_back({device, pod, *there.begin()});
      }
    }
  }

 private:
  // `from` and all beneath; through files of loop devices, too, if `loops`.
  [[nodiscard]] std::set<std::size_t> reached_from(const std::vector<std::size_t>& from,
                                                   bool loops) const {
    std::set<std::size_t> reached;
    std::vector<std::size_t> next = from;
    while (!next.empty()) {
      const std::size_t device = next.back();
      next.pop_back();
      if (!reached.insert(device).second) continue;
      const Device& at = inventory_.devices[device];
      if (!loops && !at.block.backing_file.empty()) continue;
      next.insert(next.end(), at.below.begin(), at.below.end());
    }
    return reached;
  }

  // Nobody else is on the device or on something made of it: not another subject, nor the node.
  // What a loop device does to its file is I/O of the filesystem with the file.
  [[nodiscard]] bool has_alone(std::size_t subject, std::size_t device) const {
    const auto it = reachers_.find(device);
    return it != reachers_.end() && it->second == std::set{subject};
  }

  static constexpr std::size_t kNode = ~std::size_t{0};  // as if it were a subject

  Inventory& inventory_;
  std::set<std::size_t> of_the_node_;
  std::map<std::size_t, std::set<std::size_t>> users_;     // subjects directly on a device
  std::map<std::size_t, std::set<std::size_t>> reachers_;  // or on something made of it
};

}  // namespace

void share_out_devices(Inventory& inventory, const std::vector<std::size_t>& of_the_node) {
  Shares shares(inventory, of_the_node);
  shares.own();
  shares.find_sole_users();
  shares.split_by_pod();
}

}  // namespace volumeter
