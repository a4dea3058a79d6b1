// The cgroups that the kubelet makes for pods (kubernetes:
// pkg/kubelet/cm/pod_container_manager_linux.go):
// .../kubepods/burstable/pod<uid>, or .../kubepods-burstable-pod<uid with _>.slice with systemd.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "host/host.h"

namespace volumeter {

// By pod uid: the cgroup's id (kernfs_node::id, which is the directory's inode number on 64-bit
// machines) in the hierarchy that block I/O is accounted in.
using PodCgroups = std::map<std::string, std::uint64_t>;

// Below <sysfs>/fs/cgroup: the blkio hierarchy of cgroup v1 where it is mounted, else v2's. Empty
// where there is none, or where I/O isn't accounted for pods. Lists only the directories that lead
// to pods; never blocks.
PodCgroups find_pod_cgroups(const HostPaths& host);

// The uid in a pod's cgroup's name; empty when it isn't one's.
std::string pod_uid_of_cgroup(std::string_view name);

}  // namespace volumeter
