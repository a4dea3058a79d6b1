// The only way to the host: where its /proc, /sys, root and kubelet directory are, and reading
// files there. Nothing here takes a volume's path.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/unique_fd.h"
#include "volumeter/result.h"

namespace volumeter {

// Tests point these at trees of their own. In a container, `rootfs` is where the host's root
// is mounted (/host/root); paths in the mount table are resolved below it.
struct HostPaths {
  std::string procfs = "/proc";
  std::string sysfs = "/sys";
  std::string rootfs = "/";
  // On the host, not below `rootfs`. Empty: find it in the mount table and the usual places.
  std::string kubelet;
};

// `host_path` below `rootfs`.
std::string under_rootfs(const HostPaths& host, std::string_view host_path);

// Reads a whole file of /proc, /sys or a configuration. An error when it is longer than `limit`
// bytes or not a regular file (a FIFO would block for ever). Blocks only as far as the node's own
// disk does.
Result<std::string> read_file(const std::string& path, std::size_t limit = 1 << 20);

// The same for an open directory, refusing symlinks and mount points on the way.
Result<std::string> read_file_beneath(int directory, const std::string& path, std::size_t limit);

// How a path that others can rearrange is opened; see openat2(2).
enum class Resolve {
  kBeneathOneFilesystem,  // no symlink, no mount point, no escape: kubelet's directories
  kInRoot,                // symlinks allowed, as if chrooted: paths of the host
};

// `path` is relative to `directory`. `flags` as for open(2); O_CLOEXEC is added.
Result<UniqueFd> open_resolved(int directory, const std::string& path, std::uint64_t flags,
                               Resolve resolve);

// The types that readdir gives, without touching what the entry points to.
struct DirectoryEntry {
  std::string name;        // any bytes but '/' and NUL
  unsigned char type = 0;  // DT_DIR, DT_LNK, ... ; DT_UNKNOWN where the filesystem doesn't say
};

// Calls `visit` for each entry but "." and "..". `directory` is consumed.
Status list_directory(UniqueFd directory, const std::function<void(DirectoryEntry)>& visit);

// When the node was started (/proc/stat, btime).
std::optional<std::chrono::sys_seconds> boot_time(const HostPaths& host);

// The names in it, sorted; none where it can't be listed. Of /proc and /sys.
std::vector<std::string> names_in(const std::string& directory);

// A printable, valid UTF-8 form of any bytes: each invalid byte and control character becomes
// \xHH. Two different names stay different unless one spells such an escape itself.
std::string printable(std::string_view bytes);

}  // namespace volumeter
