// The node's block devices, from <procfs>/partitions (kernel: block/genhd.c, show_partition).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "host/host.h"
#include "volumeter/mount_entry.h"

namespace volumeter {

struct BlockDevice {
  std::string name;  // as in sysfs and node_exporter: "nvme0n1p2", "dm-3"
  DeviceNumber number;
  std::uint64_t size_bytes = 0;  // rounded down to 1 KiB, which is what the kernel prints

  bool operator==(const BlockDevice&) const = default;
};

using BlockDevices = std::map<DeviceNumber, BlockDevice>;

// Never blocks. Lines that don't parse are left out.
Result<BlockDevices> read_block_devices(const HostPaths& host);
BlockDevices parse_partitions(std::string_view text);

}  // namespace volumeter
