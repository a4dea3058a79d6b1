// The host's mount table. mountinfo is kernel memory: reading it never touches a filesystem,
// so it works while every mount hangs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/host.h"
#include "volumeter/mount_entry.h"
#include "volumeter/result.h"

namespace volumeter {

// In the kernel's order: a later entry on the same mount point covers an earlier one.
using MountTable = std::vector<MountEntry>;

// The text of <procfs>/1/mountinfo: init's view, because a container's own lists its own
// mounts only. Needs CAP_DAC_READ_SEARCH or root with hostPID.
Result<std::string> read_mountinfo(const HostPaths& host);

// The same file, open: EPOLLPRI is raised on it at each mount, unmount and remount
// (fs/proc_namespace.c, mounts_poll), and whoever waits for it has then consumed it. A filesystem
// that the kernel itself turns read-only after an error isn't announced.
Result<UniqueFd> open_mount_events(const HostPaths& host);

// Lines that libmount can't parse are left out and counted.
struct ParsedMounts {
  MountTable table;
  std::size_t bad_lines = 0;
};
ParsedMounts parse_mountinfo(const std::string& text);

}  // namespace volumeter
