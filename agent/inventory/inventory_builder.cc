#include "inventory/inventory_builder.h"

#include <algorithm>
#include <climits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "inventory/device_map.h"
#include "inventory/ephemeral_storage.h"
#include "inventory/mount_index.h"
#include "inventory/mount_promises.h"
#include "inventory/orphans.h"
#include "inventory/pod_volumes.h"
#include "inventory/subjects.h"
#include "mounts/filesystem_kinds.h"

namespace volumeter {
namespace {

using Place = std::pair<DeviceNumber, std::string>;

// Where mounts, devices and directories meet: fills what add_pod_volumes left open.
class Placement {
 public:
  Placement(const InventoryInput& input, Inventory& out)
      : input_(input), out_(out), mounts_(input.mounts), devices_(input.devices, mounts_) {
    out_.devices = devices_.take();
    if (!input.kubelet.root.empty()) node_mount(mounts_.covering(input.kubelet.root));
    node_mount(mounts_.at("/"));
    for (const MountEntry& entry : input.mounts) {
      if (entry.fstype == "devtmpfs" && entry.root != "/") device_binds_.push_back(&entry);
      // Where images and containers' writable layers live: beneath the overlays' upper directories.
      if (entry.upper_dir.empty()) continue;
      image_devices_.insert(device_of(entry.upper_dir));
      upper_dirs_.push_back(entry.upper_dir);
    }
  }

  void volume(Volume& volume, const PodVolumeDir* dir) {
    if (volume.mode == VolumeMode::kBlock) {
      if (dir != nullptr) block(volume, *dir);
      return;
    }
    if (volume.path.empty()) return;
    const MountEntry* own = mounts_.at(volume.path);
    const bool hold = out_.pods[volume.pod].leaving();
    if (own == nullptr && volume.mount_expected) {
      const bool gone = input_.pods_listed && !out_.pods[volume.pod].known;
      if (!hold && !gone && !volume.mount_awaited) volume.bare_directory = directory(volume.path);
      return;
    }
    volume.mounted = true;
    const MountEntry* mount = own != nullptr ? own : mounts_.covering(volume.path);
    if (mount == nullptr) return;
    volume.mount = *mount;
    volume.device = device_label(*mount);
    volume.devices = devices_.beneath(*mount);
    volume.shares_filesystem =
        own == nullptr || mount->root != "/" || node_devices_.contains(mount->device) ||
        is_network_filesystem(mount->fstype) ||
        (volume.kind == VolumeKind::kHostPath && is_pseudo_filesystem(mount->fstype));
    const bool pseudo = is_pseudo_filesystem(mount->fstype);
    const bool usable = volume.path.size() < PATH_MAX;  // a spec can hold any string
    if (usable && (own != nullptr ? !pseudo || volume.kind != VolumeKind::kHostPath : !pseudo)) {
      volume.window = is_window(volume);
      volume.target = target(*mount, hold, below(volume.path, *mount));
      Target& found = out_.targets[*volume.target];
      found.walk = found.walk || may_walk(volume);
    }
    if (volume.shares_filesystem && !pseudo) volume.filesystem = filesystem(*mount, hold);
  }

  [[nodiscard]] const MountIndex& mounts() const { return mounts_; }

  // Those beneath the node's own filesystems.
  [[nodiscard]] std::vector<std::size_t> devices_of_the_node() const {
    std::vector<std::size_t> all;
    for (const Filesystem& filesystem : out_.filesystems) {
      if (node_devices_.contains(filesystem.mount.device) ||
          image_devices_.contains(filesystem.mount.device) || input_.kubelet.root.empty()) {
        for (const std::size_t device : devices_.beneath(filesystem.mount)) all.push_back(device);
      }
    }
    return all;
  }

  // A directory of the node that isn't a volume; nothing where it can't be measured.
  std::optional<std::size_t> directory(const std::string& path) {
    const MountEntry* mount = mounts_.covering(path);
    if (mount == nullptr || is_pseudo_filesystem(mount->fstype) ||
        is_network_filesystem(mount->fstype) || path.size() >= PATH_MAX) {
      return std::nullopt;
    }
    const std::size_t index = target(*mount, false, below(path, *mount));
    out_.targets[index].walk = true;
    return index;
  }

  void node_filesystems() {
    for (const MountEntry* mount : node_mounts_) filesystem(*mount, false);
    for (const DeviceNumber device : image_devices_) {
      if (const auto* mount = mounts_.representative(device, input_.kubelet.root)) {
        filesystem(*mount, false);
      }
    }
    if (!input_.kubelet.root.empty()) return;
    for (const MountEntry* mount : mounts_.visible()) {
      if (!is_pseudo_filesystem(mount->fstype)) filesystem(*mount, false);
    }
  }

 private:
  void node_mount(const MountEntry* mount) {
    if (mount == nullptr || is_pseudo_filesystem(mount->fstype)) return;
    node_mounts_.push_back(mount);
    node_devices_.insert(mount->device);
  }

  static std::string below(const std::string& path, const MountEntry& mount) {
    if (path == mount.mount_point) return {};
    return path.substr(mount.mount_point == "/" ? 1 : mount.mount_point.size() + 1);
  }

  [[nodiscard]] bool may_walk(const Volume& volume) const {
    if (!volume.shares_filesystem) return false;
    const std::string* wish = find_annotation(out_, volume, "walk");
    if (is_network_filesystem(volume.mount->fstype)) {
      return wish != nullptr && *wish == "on" && is_ours_to_walk(volume);
    }
    return (wish == nullptr || *wish != "off") && !volume.window;
  }

  // A share is walked by one node only.
  [[nodiscard]] bool is_ours_to_walk(const Volume& volume) const {
    if (!volume.claim) return false;
    const Claim& claim = out_.claims[*volume.claim];
    return !on_several_nodes(claim) ||
           input_.metadata.walked_here.contains({claim.namespace_, claim.name});
  }

  // A hostPath that holds the kubelet's directory or containers' layers is a window on the node,
  // not somebody's data.
  [[nodiscard]] bool is_window(const Volume& volume) const {
    if (volume.kind != VolumeKind::kHostPath) return false;
    const auto holds = [&](const std::string& path) { return is_beneath(path, volume.path); };
    return holds(input_.kubelet.root) || std::any_of(upper_dirs_.begin(), upper_dirs_.end(), holds);
  }

  [[nodiscard]] DeviceNumber device_of(const std::string& path) const {
    const MountEntry* mount = mounts_.covering(path);
    return mount == nullptr ? DeviceNumber{} : mount->device;
  }

  // "nvme0n1p2": the kernel's name of the device, else the source's last component for /dev/...
  [[nodiscard]] std::string device_label(const MountEntry& mount) const {
    const auto it = input_.devices.by_number.find(mount.device);
    if (it != input_.devices.by_number.end()) return it->second.name;
    if (mount.source.starts_with("/dev/")) return mount.source.substr(mount.source.rfind('/') + 1);
    return {};
  }

  // A block volume's device: the kubelet binds its node from devtmpfs at .../<PV>/.../<pod uid>
  // (kubernetes: pkg/volume/util/volumepathhandler). The loop device that the kubelet itself
  // attaches there as a lock never appears as a mount's root.
  void block(Volume& volume, const PodVolumeDir& dir) {
    std::string name;
    for (const MountEntry* bind : device_binds_) {
      const std::string_view point = bind->mount_point;
      if (point.ends_with("/" + dir.pod_uid) &&
          point.find("/" + dir.name + "/") != std::string_view::npos) {
        name = bind->root.substr(1);
      }
    }
    if (name.empty() && dir.link_target.starts_with("/dev/")) name = dir.link_target.substr(5);
    const auto device = devices_.named(name);
    if (!device) return;
    const BlockDevice& block = out_.devices[*device].block;
    volume.devices = {*device};
    volume.device = block.name;
    volume.device_bytes = block.size_bytes;
    volume.mounted = true;
  }

  std::size_t target(const MountEntry& mount, bool hold, const std::string& below = {}) {
    std::string root = mount.root;
    if (!below.empty()) root += (root == "/" ? "" : "/") + below;
    const auto [it, fresh] = targets_.try_emplace({mount.device, root}, out_.targets.size());
    if (fresh) {
      out_.targets.push_back(
          {mount.device, std::move(root), mount.mount_point, mount.fstype, hold, below, false});
    }
    Target& found = out_.targets[it->second];
    if (found.hold && !hold) {  // a way there that nobody is about to unmount
      found.path = mount.mount_point;
      found.below = below;
      found.hold = false;
    }
    return it->second;
  }

  std::size_t filesystem(const MountEntry& beneath, bool hold) {
    const auto [it, fresh] = filesystems_.try_emplace(beneath.device, out_.filesystems.size());
    if (!fresh) {
      Filesystem& known = out_.filesystems[it->second];
      if (!hold && out_.targets[known.target].hold) known.target = target(beneath, false);
      return it->second;
    }
    const MountEntry* shown = mounts_.representative(beneath.device, input_.kubelet.root);
    const bool inside_pods = shown == nullptr || is_pod_path(shown->mount_point);
    const MountEntry& mount = inside_pods ? beneath : *shown;
    Filesystem filesystem;
    filesystem.mount = mount;
    filesystem.target = target(mount, hold && inside_pods);
    // A pod's path would be a new label value for each pod.
    filesystem.labels = make_filesystem_labels(mount, inside_pods, mount.source);
    // Two FUSE mounts of the same program, say: their device numbers tell them apart.
    for (std::string source = mount.source; !labels_.insert(*filesystem.labels).second;) {
      source += " (" + std::to_string(mount.device.major) + ":" +
                std::to_string(mount.device.minor) + ")";
      filesystem.labels = make_filesystem_labels(mount, inside_pods, source);
    }
    out_.filesystems.push_back(std::move(filesystem));
    return it->second;
  }

  [[nodiscard]] bool is_pod_path(const std::string& path) const {
    return !input_.kubelet.root.empty() && is_beneath(path, input_.kubelet.root) &&
           path != input_.kubelet.root;
  }

  const InventoryInput& input_;
  Inventory& out_;
  const MountIndex mounts_;
  DeviceMap devices_;
  std::vector<const MountEntry*> node_mounts_;
  std::vector<const MountEntry*> device_binds_;
  std::set<DeviceNumber> node_devices_;
  std::set<DeviceNumber> image_devices_;
  std::vector<std::string> upper_dirs_;  // of containers
  std::map<Place, std::size_t> targets_;
  std::map<DeviceNumber, std::size_t> filesystems_;
  std::set<std::vector<std::string>> labels_;
};

}  // namespace

std::shared_ptr<const Inventory> build_inventory(const InventoryInput& input) {
  auto inventory = std::make_shared<Inventory>();
  std::vector<const PodVolumeDir*> dirs;
  add_pod_volumes(input, *inventory, dirs);
  Placement placement(input, *inventory);
  for (std::size_t i = 0; i < inventory->volumes.size(); ++i) {
    placement.volume(inventory->volumes[i], dirs[i]);
  }
  check_mount_promises(input, placement.mounts(), dirs, *inventory);
  placement.node_filesystems();
  const auto directory = [&](const std::string& path) { return placement.directory(path); };
  add_ephemeral_storage(input, *inventory, directory);
  find_orphans(input, placement.mounts(), directory, *inventory);
  add_subjects(*inventory, input.all_volumes);
  share_out_devices(*inventory, placement.devices_of_the_node());
  return inventory;
}

}  // namespace volumeter
