#include "inventory/orphans.h"

#include <map>
#include <set>
#include <utility>

#include "mounts/filesystem_kinds.h"

namespace volumeter {
namespace {

using Place = std::pair<DeviceNumber, std::string>;  // and the mount's root

class OrphanSearch {
 public:
  OrphanSearch(const InventoryInput& input, const MountIndex& mounts, Inventory& out)
      : input_(input),
        mounts_(mounts),
        out_(out),
        pods_(input.kubelet.root + "/pods/"),
        plugins_(input.kubelet.root + "/plugins/kubernetes.io/") {
    for (const MountEntry* mount : mounts.visible()) {
      mounted_.insert(mount->device);
      if (mount->fstype == "devtmpfs") bound_nodes_.insert(mount->root);
      if (mount->mount_point.starts_with(pods_)) used_.insert({mount->device, mount->root});
      if (mount->mount_point.starts_with(pods_)) used_devices_.insert(mount->device);
    }
    for (const StagedVolume& staged : input.kubelet.staged) staged_[staged.path] = &staged;
    for (const Volume& volume : out.volumes) {
      if (!volume.volume_handle.empty()) {
        used_handles_.insert({volume.csi_driver, volume.volume_handle});
      }
    }
  }

  void pod_directories(
      const std::function<std::optional<std::size_t>(const std::string&)>& directory) {
    for (const std::string& uid : input_.kubelet.pod_uids) {
      if (is_pod(uid)) continue;
      add({Orphan::Kind::kPodDirectory, pods_ + uid, {}, directory(pods_ + uid), {}});
    }
  }

  // What a pod gets in memory (secrets, tokens) leaves with its directory, which is shown.
  void mounts() {
    for (const MountEntry* mount : mounts_.visible()) {
      if (!mount->mount_point.starts_with(pods_) || is_memory_filesystem(mount->fstype)) continue;
      const std::string uid = mount->mount_point.substr(
          pods_.size(), mount->mount_point.find('/', pods_.size()) - pods_.size());
      if (!is_pod(uid)) add_mount(Orphan::Kind::kMount, *mount);
    }
  }

  void staged() {
    for (const MountEntry* mount : mounts_.visible()) {
      if (!mount->mount_point.starts_with(plugins_)) continue;
      const auto known = staged_.find(mount->mount_point);
      const bool used =
          mount->fstype == "devtmpfs" ? is_block_used(*mount) : is_staging_used(*mount, known);
      if (!used) add_mount(Orphan::Kind::kStaging, *mount);
    }
  }

  void loop_devices() {
    std::set<std::string> parts;  // of stacks
    for (const Device& device : out_.devices) {
      for (const std::size_t below : device.below) parts.insert(out_.devices[below].block.name);
      if (!device.block.disk.empty() && mounted_.contains(device.block.number)) {
        parts.insert(device.block.disk);
      }
    }
    for (const Volume& volume : out_.volumes) {
      for (const std::size_t device : volume.devices) parts.insert(out_.devices[device].block.name);
    }
    for (const auto& members : input_.devices.btrfs) parts.insert(members.begin(), members.end());
    parts.insert(input_.devices.swaps.begin(), input_.devices.swaps.end());
    for (const auto& [number, block] : input_.devices.by_number) {
      if (block.backing_file.empty()) continue;
      const bool held = block.is_phantom()
                            ? is_pod(lock_owner(block))
                            : mounted_.contains(number) || parts.contains(block.name) ||
                                  bound_nodes_.contains("/" + block.name) || block.autoclear;
      if (held) continue;
      add({Orphan::Kind::kLoopDevice, block.backing_file, block.name, {}, block.size_bytes});
    }
  }

 private:
  using StagedPlaces = std::map<std::string, const StagedVolume*>;

  [[nodiscard]] bool is_pod(const std::string& uid) const {
    return input_.metadata.pods.contains(uid);
  }

  void add(Orphan orphan) { out_.orphans->push_back(std::move(orphan)); }

  void add_mount(Orphan::Kind kind, const MountEntry& mount) {
    Orphan orphan{kind, mount.mount_point, {}, {}, {}};
    const std::string node = mount.fstype == "devtmpfs" ? mount.root.substr(1) : "";
    for (const auto& [number, block] : input_.devices.by_number) {
      if (number != mount.device && block.name != node) continue;
      orphan.device = block.name;
      orphan.bytes = block.size_bytes;
    }
    add(std::move(orphan));
  }

  // By its handle, where the kubelet wrote it down; else some pod has mounted the filesystem.
  [[nodiscard]] bool is_staging_used(const MountEntry& mount,
                                     StagedPlaces::const_iterator known) const {
    if (known != staged_.end() &&
        used_handles_.contains({known->second->driver, known->second->volume_handle})) {
      return true;
    }
    return mount.root == "/" ? used_devices_.contains(mount.device)
                             : used_.contains({mount.device, mount.root});
  }

  // A block volume's node, bound from devtmpfs under a directory of the PersistentVolume's name.
  [[nodiscard]] bool is_block_used(const MountEntry& mount) const {
    for (const Volume& volume : out_.volumes) {
      if (volume.mode == VolumeMode::kBlock && "/" + volume.device == mount.root) return true;
    }
    return false;
  }

  // .../volumeDevices/<PersistentVolume>/dev/<pod uid> (kubernetes: pkg/volume/util/
  // volumepathhandler, GetLoopDevice).
  static std::string lock_owner(const BlockDevice& block) {
    std::string path = block.backing_file;
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
    return path.substr(path.rfind('/') + 1);
  }

  const InventoryInput& input_;
  const MountIndex& mounts_;
  Inventory& out_;
  const std::string pods_;
  const std::string plugins_;
  std::set<DeviceNumber> mounted_;
  std::set<DeviceNumber> used_devices_;  // in pods' directories
  std::set<Place> used_;
  std::set<std::string> bound_nodes_;
  std::set<std::pair<std::string, std::string>> used_handles_;
  StagedPlaces staged_;
};

}  // namespace

void find_orphans(const InventoryInput& input, const MountIndex& mounts,
                  const std::function<std::optional<std::size_t>(const std::string&)>& directory,
                  Inventory& inventory) {
  if (!input.pods_listed || input.kubelet.root.empty()) return;
  inventory.orphans.emplace();
  OrphanSearch search(input, mounts, inventory);
  search.pod_directories(directory);
  search.mounts();
  search.staged();
  search.loop_devices();
}

}  // namespace volumeter
