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

// Says whether the mount table may have changed, without reading it: the kernel raises POLLPRI on
// an open mountinfo at each mount and unmount (fs/proc_namespace.c, mounts_poll). A filesystem that
// the kernel itself turns read-only after an error isn't announced. One thread.
class MountWatch {
 public:
  explicit MountWatch(const HostPaths& host);
  // True when it has changed since the last call, or that can't be told. One system call.
  bool changed();

 private:
  UniqueFd fd_;
};

// Lines that libmount can't parse are left out and counted.
struct ParsedMounts {
  MountTable table;
  std::size_t bad_lines = 0;
};
ParsedMounts parse_mountinfo(const std::string& text);

}  // namespace volumeter
