#include "benchmark/caveats.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "host/host.h"
#include "mounts/filesystem_kinds.h"

namespace volumeter {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kSmall = std::uint64_t{1} << 30;

std::string text_of(const DeviceNumber& number) {
  return std::to_string(number.major) + ":" + std::to_string(number.minor);
}

// The device, and of a partition its disk: limits are the disk's.
std::vector<DeviceNumber> with_disk(const DeviceNumber& number) {
  std::vector<DeviceNumber> all = {number};
  const auto text = read_file("/sys/dev/block/" + text_of(number) + "/../dev");
  DeviceNumber disk;
  char colon = 0;
  if (text && std::istringstream(*text) >> disk.major >> colon >> disk.minor) all.push_back(disk);
  return all;
}

// Lines of one limit file that bind.
void add_lines(const std::string& path, const std::string& name,
               const std::vector<DeviceNumber>& devices, std::vector<std::string>& out) {
  const auto text = read_file(path);
  if (!text) return;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const bool ours = std::any_of(devices.begin(), devices.end(), [&](const DeviceNumber& device) {
      return device.major == 0 || line.starts_with(text_of(device) + " ");
    });
    if (ours) out.push_back(name + ": " + line);
  }
}

void add_cpu(const std::string& path, std::vector<std::string>& out) {
  const auto text = read_file(path);
  if (!text || text->starts_with("max")) return;
  out.push_back("cpu.max: " + text->substr(0, text->find('\n')));
}

}  // namespace

std::vector<std::string> cgroup_limits(const std::string& cgroups, const std::string& sysfs,
                                       const std::vector<DeviceNumber>& devices) {
  std::vector<std::string> out;
  std::istringstream lines(cgroups);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path path = line.substr(second + 1);
    // Each ancestor's limit binds, too.
    for (fs::path at = path;; at = at.parent_path()) {
      const std::string below = at == "/" ? "" : at.string();
      if (controllers == ",,") {
        add_lines(sysfs + "/fs/cgroup" + below + "/io.max", "io.max", devices, out);
        add_cpu(sysfs + "/fs/cgroup" + below + "/cpu.max", out);
      } else if (controllers.find(",blkio,") != std::string::npos) {
        for (const std::string kind : {"read_bps", "read_iops", "write_bps", "write_iops"}) {
          const std::string name = "blkio.throttle." + kind + "_device";
          add_lines(sysfs + "/fs/cgroup/blkio" + below + "/" + name, name, devices, out);
        }
      }
      if (!at.has_relative_path()) break;
    }
  }
  return out;
}

std::vector<std::string> caveats_of(const BenchTarget& target) {
  std::vector<std::string> all;
  if (is_memory_filesystem(target.fstype)) all.push_back(target.fstype + " is memory, not a disk");
  if (is_network_filesystem(target.fstype)) {
    all.push_back(target.fstype + ": the server may answer from its memory");
  }
  if (target.device) {
    all.emplace_back(
        "parts of a device that were never written, or discarded, may be read without any I/O");
  }
  const auto cgroups = read_file("/proc/self/cgroup");
  if (!cgroups) return all;
  for (const std::string& limit : cgroup_limits(*cgroups, "/sys", with_disk(target.number))) {
    all.push_back("throttled by this process's own cgroup (" + limit + ")");
  }
  return all;
}

std::vector<std::string> caveats_of(const BenchTarget& target, const TestFile& file,
                                    std::uint64_t size) {
  std::vector<std::string> all;
  if (!file.direct) {
    all.emplace_back("the filesystem has no O_DIRECT: the page cache took part");
  }
  if (size < kSmall && !target.device) {
    all.push_back("a disk's own cache may hold all of the file's " + std::to_string(size >> 20U) +
                  " MiB (--size)");
  }
  return all;
}

std::string cache_caveat(const BenchTarget& target, const TestFile& file) {
  const bool direct = file.direct && !target.device && !is_memory_filesystem(target.fstype);
  return direct && went_through_cache(file.fd.get())
             ? "the page cache took part in spite of O_DIRECT"
             : "";
}

}  // namespace volumeter
