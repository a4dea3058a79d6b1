#include "inventory/mount_index.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "mounts/filesystem_kinds.h"

namespace volumeter {

bool is_beneath(std::string_view path, std::string_view directory) {
  if (directory == "/") return path.starts_with('/');
  return path == directory || (path.starts_with(directory) && path.size() > directory.size() &&
                               path[directory.size()] == '/');
}

MountIndex::MountIndex(const MountTable& table) {
  by_mount_point_.reserve(table.size());
  for (const MountEntry& entry : table) by_mount_point_[entry.mount_point] = &entry;
  for (const MountEntry& entry : table) {
    if (by_mount_point_[entry.mount_point] == &entry) visible_.push_back(&entry);
  }
}

const MountEntry* MountIndex::at(std::string_view path) const {
  const auto it = by_mount_point_.find(path);
  return it == by_mount_point_.end() ? nullptr : it->second;
}

const MountEntry* MountIndex::covering(std::string_view path) const {
  while (!path.empty()) {
    if (const MountEntry* entry = at(path)) return entry;
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) break;
    path = path.substr(0, slash);
  }
  return at("/");
}

const MountEntry* MountIndex::representative(DeviceNumber device, std::string_view avoid) const {
  const auto rank = [&](const MountEntry* entry) {
    return std::make_tuple(
        !avoid.empty() && is_beneath(entry->mount_point, avoid) && entry->mount_point != avoid,
        entry->root != "/", entry->mount_point.size());
  };
  const MountEntry* best = nullptr;
  for (const MountEntry* entry : visible_) {
    if (entry->device == device && (best == nullptr || rank(entry) < rank(best))) best = entry;
  }
  return best;
}

namespace {

// Whoever lists it must not hang there: no user's FUSE mount may pass for a kubelet's directory.
bool lies_on_the_nodes_disk(const MountIndex& mounts, std::string_view root) {
  for (std::string_view path = root; !path.empty(); path = path.substr(0, path.rfind('/'))) {
    const MountEntry* mount = mounts.at(path);
    if (mount != nullptr && is_network_filesystem(mount->fstype)) return false;
  }
  const MountEntry* pods = mounts.at(std::string(root) + "/pods");
  return pods == nullptr || !is_network_filesystem(pods->fstype);
}

}  // namespace

std::string find_kubelet_root(const MountTable& table) {
  const MountIndex mounts(table);
  std::map<std::string_view, std::size_t> votes;
  for (const MountEntry& entry : table) {
    const std::string_view path = entry.mount_point;
    const auto volumes = path.find("/volumes/kubernetes.io~");
    if (volumes == std::string_view::npos) continue;
    const auto uid = path.rfind('/', volumes - 1);
    constexpr std::string_view kPods = "/pods";
    if (uid == std::string_view::npos || uid < kPods.size()) continue;
    if (path.substr(uid - kPods.size(), kPods.size()) != kPods) continue;
    const std::string_view root = path.substr(0, uid - kPods.size());
    if (votes.contains(root) || lies_on_the_nodes_disk(mounts, root)) ++votes[root];
  }
  constexpr std::string_view kUsual = "/var/lib/kubelet";
  if (votes.contains(kUsual)) return std::string(kUsual);
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? std::string() : std::string(most->first);
}

}  // namespace volumeter
