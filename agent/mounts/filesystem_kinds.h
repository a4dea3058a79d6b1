// What a filesystem's type says of it.
#pragma once

#include <string_view>

namespace volumeter {

// Shares by nature: statfs answers for the whole share (nfs, cifs, ceph, fuse, ...).
bool is_network_filesystem(std::string_view fstype);

// Holds no data of its own, or only a container's view of it (proc, sysfs, overlay, ...).
bool is_pseudo_filesystem(std::string_view fstype);

// Its data is in memory: no disk is beneath.
bool is_memory_filesystem(std::string_view fstype);

}  // namespace volumeter
