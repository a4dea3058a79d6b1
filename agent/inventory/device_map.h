// From a mount to its block devices, and from a device to what it rests on.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/block_devices.h"
#include "inventory/mount_index.h"
#include "volumeter/inventory.h"

namespace volumeter {

// Views into what it was made from, which must outlive it.
class DeviceMap {
 public:
  DeviceMap(const BlockDevices& devices, const MountIndex& mounts);

  // Every device with its `below`, for Inventory::devices; once.
  std::vector<Device> take() { return std::move(devices_); }

  // What a mount's filesystem directly lies on: one device, several of a btrfs, none of a share.
  [[nodiscard]] std::vector<std::size_t> beneath(const MountEntry& mount) const;

  // By the name below /dev, as the kernel or the device mapper gave it.
  [[nodiscard]] std::optional<std::size_t> named(std::string name) const;

 private:
  void connect(const BlockDevices& devices);

  const MountIndex& mounts_;
  std::vector<Device> devices_;
  std::map<std::string, std::size_t> by_name_;
  std::map<DeviceNumber, std::size_t> by_number_;
  std::map<std::size_t, std::vector<std::size_t>> btrfs_;  // by each member
};

// Fills Device::used and owner, Subject::devices and Inventory::pod_devices, from what each volume
// lies on. `of_the_node`: devices of the node's own filesystems, where containers write too.
void share_out_devices(Inventory& inventory, const std::vector<std::size_t>& of_the_node);

}  // namespace volumeter
