// The inventory as a pure function: no system call, no clock, no state.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "host/block_devices.h"
#include "host/pod_cgroups.h"
#include "kube/metadata.h"
#include "kubelet/kubelet_tree.h"
#include "mounts/mount_table.h"
#include "volumeter/inventory.h"

namespace volumeter {

// Everything that is known about a node. Each part may be empty: names get fewer, numbers stay.
struct InventoryInput {
  MountTable mounts;
  KubeletTree kubelet;  // empty root: a host without Kubernetes
  Metadata metadata;
  bool pods_listed = false;  // all of this node's pods are in it
  // What the API server says of containers from before isn't news any more.
  std::optional<std::chrono::sys_seconds> booted;
  PodLogNames pod_logs;
  BlockDevices devices;
  PodCgroups cgroups;
  bool all_volumes = false;  // subjects of API objects aren't hidden
};

// Never fails: what doesn't fit together is left unknown. Linear in its input, but for the choice
// of a representative mount (shared filesystems times mounts).
std::shared_ptr<const Inventory> build_inventory(const InventoryInput& input);

}  // namespace volumeter
