// Questions to the mount table that the inventory asks.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mounts/mount_table.h"

namespace volumeter {

// Views into the table it was made from, which must outlive it.
class MountIndex {
 public:
  explicit MountIndex(const MountTable& table);

  // What is mounted exactly at `path`, the topmost of several; null when nothing is.
  [[nodiscard]] const MountEntry* at(std::string_view path) const;

  // The mount that `path` lies in; null only for an empty table.
  [[nodiscard]] const MountEntry* covering(std::string_view path) const;

  // A mount of `device` to show and measure it by: preferably of the whole filesystem, outside
  // `avoid`, with the shortest mount point. Null when there is none at all.
  [[nodiscard]] const MountEntry* representative(DeviceNumber device, std::string_view avoid) const;

  // Every mount that no other one covers, in table order.
  [[nodiscard]] const std::vector<const MountEntry*>& visible() const { return visible_; }

 private:
  std::unordered_map<std::string_view, const MountEntry*> by_mount_point_;
  std::vector<const MountEntry*> visible_;
};

// True when `path` is `directory` or lies below it.
bool is_beneath(std::string_view path, std::string_view directory);

// The kubelet's directory, from the mounts below it (<root>/pods/<uid>/volumes/kubernetes.io~...):
// wherever k3s, k0s, MicroK8s or an operator put it, but never on a network or FUSE filesystem.
// Empty when no pod has a volume mounted.
std::string find_kubelet_root(const MountTable& table);

}  // namespace volumeter
