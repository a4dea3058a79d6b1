#include "inventory/ephemeral_storage.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "host/host.h"
#include "volumeter/measurement.h"

namespace volumeter {
namespace {

// containerd mounts a container's root at .../<container id>/rootfs (containerd:
// runtime/v2/bundle.go). CRI-O and Docker name theirs after the layer: there it isn't known whose
// it is.
std::map<std::string_view, std::string> writable_layers(const MountTable& mounts) {
  constexpr std::string_view kRootfs = "/rootfs";
  std::map<std::string_view, std::string> layers;
  for (const MountEntry& entry : mounts) {
    std::string_view path = entry.mount_point;
    if (!entry.upper_dir.starts_with('/') || !path.ends_with(kRootfs)) continue;
    path.remove_suffix(kRootfs.size());
    layers[path.substr(path.rfind('/') + 1)] = entry.upper_dir;
  }
  return layers;
}

// kubernetes: pkg/volume/util/util.go, IsLocalEphemeralVolume. One with medium Memory is a tmpfs
// and has a filesystem to itself.
bool is_local_ephemeral(const Volume& volume) {
  return (volume.kind == VolumeKind::kEmptyDir || volume.kind == VolumeKind::kConfigMap) &&
         volume.shares_filesystem;
}

}  // namespace

void add_ephemeral_storage(
    const InventoryInput& input, Inventory& inventory,
    const std::function<std::optional<std::size_t>(const std::string&)>& directory) {
  const auto layers = writable_layers(input.mounts);
  std::map<std::size_t, std::size_t> by_pod;
  for (std::size_t i = 0; i < inventory.pods.size(); ++i) {
    const Pod& pod = inventory.pods[i];
    const auto spec = input.metadata.pods.find(pod.uid);
    if (spec == input.metadata.pods.end() || pod.leaving() || spec->second.phase != "Running") {
      continue;
    }
    EphemeralStorage storage;
    storage.pod = i;
    storage.limit_bytes = spec->second.ephemeral_storage_limit;
    storage.labels = make_labels({printable(pod.namespace_), printable(pod.name)});
    const auto add = [&](const std::optional<std::size_t>& target) {
      storage.complete = storage.complete && target;
      if (target) storage.targets.push_back(*target);
    };
    for (const std::string& id : spec->second.running_containers) {
      const auto layer = layers.find(id);
      add(layer == layers.end() ? std::nullopt : directory(layer->second));
    }
    // A static pod's logs are named after its mirror hash, as its directory is.
    add(input.pod_logs.contains(pod.uid)
            ? directory("/var/log/pods/" + pod.namespace_ + "_" + pod.name + "_" + pod.uid)
            : std::nullopt);
    by_pod[i] = inventory.ephemeral.size();
    inventory.ephemeral.push_back(std::move(storage));
  }
  for (const Volume& volume : inventory.volumes) {
    const auto it = by_pod.find(volume.pod);
    if (it == by_pod.end() || !is_local_ephemeral(volume)) continue;
    EphemeralStorage& storage = inventory.ephemeral[it->second];
    storage.complete = storage.complete && volume.target;
    if (!volume.target) continue;
    std::vector<std::size_t>& targets = storage.targets;
    if (std::find(targets.begin(), targets.end(), *volume.target) == targets.end()) {
      targets.push_back(*volume.target);
    }
  }
}

}  // namespace volumeter
