#include "host/block_devices.h"

#include <sstream>

namespace volumeter {

BlockDevices parse_partitions(std::string_view text) {
  BlockDevices devices;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    BlockDevice device;
    std::uint64_t kibibytes = 0;
    if (!(fields >> device.number.major >> device.number.minor >> kibibytes >> device.name)) {
      continue;
    }
    device.size_bytes = kibibytes * 1024;
    devices[device.number] = device;
  }
  return devices;
}

Result<BlockDevices> read_block_devices(const HostPaths& host) {
  auto text = read_file(host.procfs + "/partitions");
  if (!text) return text.error();
  return parse_partitions(*text);
}

}  // namespace volumeter
