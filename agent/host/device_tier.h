// What a disk rests on, from what it says of itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "volumeter/block_device.h"

namespace volumeter {

struct DeviceFacts {
  std::string name;
  std::string path;  // of the device in sysfs: the buses on the way to it
  std::string vendor;
  std::string model;
  std::optional<bool> rotational;
  std::vector<std::string> transports;  // of nvme controllers: "pcie", "tcp", "rdma", "fc"
};

// Of a disk that isn't made of others.
Tier tier_of(const DeviceFacts& facts);

}  // namespace volumeter
