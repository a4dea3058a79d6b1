#include "inventory/mount_promises.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "mounts/filesystem_kinds.h"

namespace volumeter {
namespace {

// A directory of a filesystem, by whichever way.
using Place = std::pair<DeviceNumber, std::string>;
using Handle = std::pair<std::string, std::string>;  // driver, volume handle

std::string text_of(const MountEntry& mount) {
  const std::string where = mount.root == "/" ? "" : " (its " + mount.root + ")";
  return mount.source + where;
}

std::string join(const std::string& directory, std::string_view name) {
  return directory == "/" ? "/" + std::string(name) : directory + "/" + std::string(name);
}

// "server:/path", where the server may be an IPv6 address in brackets.
struct Share {
  std::string server;
  std::string path;
};
Share share_of(const std::string& source) {
  const auto colon = source.find(":/");
  if (colon == std::string::npos) return {};
  std::string server = source.substr(0, colon);
  if (server.starts_with('[') && server.ends_with(']')) {
    server = server.substr(1, server.size() - 2);
  }
  std::string path = std::filesystem::path(source.substr(colon + 1)).lexically_normal().string();
  while (path.size() > 1 && (path.ends_with('/') || path.starts_with("//"))) {
    path.ends_with('/') ? path.pop_back() : void(path.erase(0, 1));
  }
  return {std::move(server), std::move(path)};
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// A server has several names, and the kernel shows the one that it was mounted by first.
bool may_be_same_server(const std::string& a, const std::string& b) {
  return a == b || !is_address(a) || !is_address(b);
}

bool is_on_a_device(const MountEntry& mount) { return mount.source.starts_with("/dev/"); }

// Each subvolume of a btrfs has a device number of its own.
bool is_same_filesystem(const MountEntry& a, const MountEntry& b) {
  return a.device == b.device || (a.fstype == "btrfs" && a.source == b.source);
}

class PromiseCheck {
 public:
  PromiseCheck(const InventoryInput& input, const MountIndex& mounts, Inventory& out)
      : input_(input), mounts_(mounts), out_(out) {
    for (const StagedVolume& staged : input.kubelet.staged) {
      if (const MountEntry* mount = mounts.at(staged.path)) {
        staged_[{staged.driver, staged.volume_handle}] = mount;
      }
    }
    for (const MountEntry* mount : mounts.visible()) add_subpath(*mount);
    for (const Volume& volume : out.volumes) {
      if (has_its_own_filesystem(volume)) owners_[place_of(volume)].push_back(&volume);
    }
  }

  void check(Volume& volume, const PodVolumeDir* dir) {
    if (!volume.mounted) return;
    volume_ = &volume;
    pv_ = persistent_volume(volume);
    if (dir != nullptr && volume.kind == VolumeKind::kCsi) handle(*dir);
    if (!volume.mount) return;
    staging(*volume.mount);
    source(*volume.mount);
    filesystem_type(*volume.mount);
    subpaths(*volume.mount, dir);
    others(*volume.mount);
  }

 private:
  void expect(bool kept, const std::string& otherwise) {
    ++volume_->promises.compared;
    if (!kept) volume_->promises.broken.push_back(otherwise);
  }

  [[nodiscard]] const PersistentVolumeMetadata* persistent_volume(const Volume& volume) const {
    const auto it = input_.metadata.persistent_volumes.find(volume.persistent_volume);
    return it == input_.metadata.persistent_volumes.end() ? nullptr : &it->second;
  }

  // The kubelet writes vol_data.json before it mounts, from the PersistentVolume of that moment.
  void handle(const PodVolumeDir& dir) {
    if (pv_ == nullptr || pv_->volume_handle.empty() || dir.csi.volume_handle.empty()) return;
    expect(pv_->volume_handle == dir.csi.volume_handle && pv_->csi_driver == dir.csi.driver,
           "mounted as " + dir.csi.driver + " " + dir.csi.volume_handle +
               ", and its PersistentVolume is " + pv_->csi_driver + " " + pv_->volume_handle);
  }

  void staging(const MountEntry& mount) {
    const auto it = staged_.find({volume_->csi_driver, volume_->volume_handle});
    if (it == staged_.end()) return;
    const MountEntry& staged = *it->second;
    expect(is_same_filesystem(mount, staged) && is_beneath(mount.root, staged.root),
           text_of(mount) + " is mounted, and " + text_of(staged) + " is staged for it");
  }

  void source(const MountEntry& mount) {
    if (pv_ == nullptr) return;
    if (pv_->kind == VolumeKind::kNfs && is_network_filesystem(mount.fstype)) {
      const std::string source = pv_->nfs_server + ":" + pv_->nfs_path;
      const Share promised = share_of(source);
      const Share mounted = share_of(mount.source);
      expect(mounted.path == promised.path && may_be_same_server(mounted.server, promised.server),
             mount.source + " is mounted, and its PersistentVolume is " + source);
    }
    if (pv_->kind == VolumeKind::kLocal) local_source(mount);
  }

  // A path that isn't a mount point may lead through symlinks, which the mount table doesn't show.
  void local_source(const MountEntry& mount) {
    const std::string& path = pv_->host_path;
    if (const MountEntry* promised = mounts_.at(path)) {
      expect(is_same_filesystem(mount, *promised) && mount.root == promised->root,
             text_of(mount) + " is mounted, and at its PersistentVolume's " + path + " is " +
                 text_of(*promised));
      return;
    }
    for (const auto& [number, device] : input_.devices.by_number) {
      if (path != "/dev/" + device.name) continue;
      expect(mount.device == number || mount.source == path,
             text_of(mount) + " is mounted, and its PersistentVolume is " + path);
    }
  }

  // Only where the kubelet or the driver makes a filesystem on a device for it: others may have
  // been given a type that means nothing to them.
  void filesystem_type(const MountEntry& mount) {
    if (pv_ == nullptr || pv_->fs_type.empty() || !has_its_own_filesystem(*volume_)) return;
    expect(mount.fstype == pv_->fs_type, mount.source + " is " + mount.fstype +
                                             ", and its PersistentVolume says " + pv_->fs_type);
  }

  // <kubelet>/pods/<uid>/volume-subpaths/<PersistentVolume or volume>/<container>/<index>
  // (kubernetes: pkg/volume/util/subpath).
  void add_subpath(const MountEntry& mount) {
    constexpr std::string_view kInfix = "/volume-subpaths/";
    const std::string_view point = mount.mount_point;
    const auto infix = point.find(kInfix);
    if (infix == std::string_view::npos) return;
    const auto name = infix + kInfix.size();
    const auto end = point.find('/', name);
    if (end != std::string_view::npos) {
      subpaths_[std::string(point.substr(0, end))].push_back(&mount);
    }
  }

  void subpaths(const MountEntry& mount, const PodVolumeDir* dir) {
    if (dir == nullptr) return;
    const std::string pod = join(join(input_.kubelet.root, "pods"), dir->pod_uid);
    const auto it = subpaths_.find(pod + "/volume-subpaths/" + dir->name);
    if (it == subpaths_.end()) return;
    // An exported filesystem can hold others, and so can one that a sidecar mounts in.
    for (const MountEntry* subpath : it->second) {
      if (!is_on_a_device(mount) || !is_on_a_device(*subpath)) continue;
      expect(is_same_filesystem(mount, *subpath),
             "a subPath of it leads to " + subpath->source + ", and the volume is " + mount.source);
    }
  }

  [[nodiscard]] static bool has_its_own_filesystem(const Volume& volume) {
    return volume.mount && !volume.shares_filesystem && !volume.devices.empty() &&
           !volume.persistent_volume.empty();
  }

  [[nodiscard]] static Place place_of(const Volume& volume) {
    return {volume.mount->device, volume.mount->root};
  }

  // Two PersistentVolumes with one filesystem: one of them isn't where it should be, unless
  // somebody made two for one volume, which shows in what they say.
  void others(const MountEntry& mount) {
    if (!has_its_own_filesystem(*volume_) || pv_ == nullptr) return;
    if (pv_->kind != VolumeKind::kCsi && pv_->kind != VolumeKind::kLocal) return;
    std::string other;
    for (const Volume* one : owners_[place_of(*volume_)]) {
      const PersistentVolumeMetadata* its = persistent_volume(*one);
      const bool same = its == nullptr || its == pv_ || is_made_for_the_same(*its, *pv_);
      if (!same) other = one->persistent_volume;
    }
    expect(other.empty(), text_of(mount) + " is mounted for PersistentVolume " + other + ", too");
  }

  static bool is_made_for_the_same(const PersistentVolumeMetadata& a,
                                   const PersistentVolumeMetadata& b) {
    if (a.kind != b.kind) return false;
    if (a.kind == VolumeKind::kLocal) return a.host_path == b.host_path;
    return a.csi_driver == b.csi_driver && a.volume_handle == b.volume_handle;
  }

  const InventoryInput& input_;
  const MountIndex& mounts_;
  Inventory& out_;
  std::map<Handle, const MountEntry*> staged_;
  std::map<std::string, std::vector<const MountEntry*>> subpaths_;
  std::map<Place, std::vector<const Volume*>> owners_;
  // At hand:
  Volume* volume_ = nullptr;
  const PersistentVolumeMetadata* pv_ = nullptr;
};

}  // namespace

void check_mount_promises(const InventoryInput& input, const MountIndex& mounts,
                          const std::vector<const PodVolumeDir*>& dirs, Inventory& inventory) {
  PromiseCheck check(input, mounts, inventory);
  for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
    check.check(inventory.volumes[i], dirs[i]);
  }
}

}  // namespace volumeter
