// What filesystems have counted of their own errors, from sysfs.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/host.h"
#include "volumeter/measurer.h"

namespace volumeter {

struct FilesystemErrors {
  // By kind. ext4: "error", from its superblock, so it outlives a reboot and ends with e2fsck
  // (Documentation/ABI/testing/sysfs-fs-ext4). btrfs: "write", "read", "flush", "corruption" and
  // "generation", over its devices (fs/btrfs/sysfs.c, btrfs_devinfo_error_stats_show; since 5.14).
  std::map<std::string, std::uint64_t> counts;
  std::optional<std::chrono::sys_seconds> first;  // ext4 only; absent without errors
  std::optional<std::chrono::sys_seconds> last;

  [[nodiscard]] std::uint64_t total() const;
};

// Of the filesystem on `device`, a name as in BlockDevice. Absent where the kernel keeps no such
// count. A few reads of sysfs, which never block.
std::optional<FilesystemErrors> read_filesystem_errors(const HostPaths& host,
                                                       const std::string& fstype,
                                                       const std::string& device);

// "write_errs 0\nread_errs 2\n..." adds to `counts`. What doesn't parse is left out.
void add_btrfs_counts(std::string_view text, std::map<std::string, std::uint64_t>& counts);

}  // namespace volumeter
