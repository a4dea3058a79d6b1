// The node's block devices: <procfs>/partitions says which there are (kernel: block/genhd.c,
// show_partition), <sysfs>/class/block what they are (Documentation/ABI/stable/sysfs-block).
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/host.h"
#include "volumeter/block_device.h"

namespace volumeter {

struct BlockDevices {
  std::map<DeviceNumber, BlockDevice> by_number;
  // The devices of each btrfs that has any: its mounts show an anonymous number and one of them.
  std::vector<std::vector<std::string>> btrfs;
  std::vector<std::string> swaps;  // devices that are swapped to

  bool operator==(const BlockDevices&) const = default;
};

// Names, numbers and sizes, rounded down to 1 KiB, which is what the kernel prints. Lines that
// don't parse are left out.
std::map<DeviceNumber, BlockDevice> parse_partitions(std::string_view text);

// The devices in /proc/swaps (kernel: mm/swapfile.c, swap_show).
std::vector<std::string> parse_swaps(std::string_view text);

// The numbers at the start of `columns`.
DiskCounters parse_disk_counters(std::string_view columns);

// The next line of `text`, which loses it.
std::string_view next_line(std::string_view& text);

// The next word of `line`, which loses it; empty at the end.
std::string_view next_word(std::string_view& line);

// Remembers what it has read: a scan that finds the same disks reads one file for each. One thread
// at a time; never blocks.
class BlockDeviceReader {
 public:
  explicit BlockDeviceReader(HostPaths host) : host_(std::move(host)) {}

  // Fails only where there is no list of devices. What sysfs doesn't tell stays empty.
  Result<BlockDevices> read();

 private:
  [[nodiscard]] std::string attribute(const std::string& device, const std::string& name) const;
  [[nodiscard]] std::uint64_t sequence_of(const BlockDevice& device) const;
  bool recall(BlockDevice& device, const std::map<DeviceNumber, std::uint64_t>& sequences) const;
  void describe(BlockDevice& device) const;
  void describe_disk(BlockDevice& device) const;
  void describe_stack(BlockDevice& device) const;
  [[nodiscard]] std::vector<std::vector<std::string>> read_btrfs() const;

  const HostPaths host_;
  std::string partitions_;  // the text that known_ was made from
  std::map<DeviceNumber, std::uint64_t> sequences_;
  BlockDevices known_;
  std::chrono::steady_clock::time_point described_{};
};

}  // namespace volumeter
