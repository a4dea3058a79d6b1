// A block device of the node, as the kernel describes it in sysfs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "volumeter/mount_entry.h"

namespace volumeter {

// What bytes on a device rest on, which decides how fast it can be. Unknown wherever the device
// doesn't say: a virtual disk may be anything.
enum class Tier { kUnknown, kSsd, kHdd, kNetwork, kMemory, kLoop };
std::string_view to_string(Tier tier);

// The columns of a device's line in /proc/diskstats and of its `stat` in sysfs (kernel:
// Documentation/admin-guide/iostats.rst), as far as the kernel has them: 11 before 4.18, 15 before
// 5.5, then 17. Sectors of 512 bytes, and milliseconds.
struct DiskCounters {
  std::array<std::uint64_t, 17> values{};
  std::size_t count = 0;

  bool operator==(const DiskCounters&) const = default;
};

struct BlockDevice {
  std::string name;  // as node_exporter writes it: "nvme0n1p2", "dm-3"
  DeviceNumber number;
  std::uint64_t size_bytes = 0;
  // Distinguishes disks that had the same name and number one after the other (5.15; else 0).
  std::uint64_t sequence = 0;
  std::string disk;                // of a partition: the disk it is on
  std::vector<std::string> below;  // the devices that a stack (dm, md) is made of
  std::string mapper_name;         // /dev/mapper/<this>
  std::string backing_file;        // of a loop device
  bool autoclear = false;          // likewise: it goes when the last one that has it open does
  bool accounts = true;            // queue/iostats: without it the kernel counts nothing
  bool bio_based = false;          // it has no requests of its own: the kernel traces its bios
  std::string model;
  std::optional<bool> rotational;
  std::string scheduler;   // "none", "mq-deadline", ...
  std::string encryption;  // "luks2", "plain", ...: of dm-crypt, here or in all that is beneath
  Tier tier = Tier::kUnknown;
  // What the device had counted before this disk was attached to it: a loop or nbd number goes on
  // counting where the disk before left off.
  DiskCounters counted_before;

  bool operator==(const BlockDevice&) const = default;

  // A loop device that the kubelet attaches to a map file of its own, as a lock on a block volume
  // (kubernetes: pkg/volume/util/volumepathhandler): not a disk.
  [[nodiscard]] bool is_phantom() const {
    return backing_file.find("/volumeDevices/") != std::string::npos;
  }
};

}  // namespace volumeter
