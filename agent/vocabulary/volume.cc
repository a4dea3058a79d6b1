#include "volumeter/volume.h"

#include <algorithm>

#include "volumeter/inventory.h"

namespace volumeter {

std::vector<std::size_t> volumes_in_use(const Inventory& inventory, const Subject& subject) {
  std::vector<std::size_t> known;
  std::vector<std::size_t> staying;
  for (const std::size_t i : subject.volumes) {
    const Pod& pod = inventory.pods[inventory.volumes[i].pod];
    if (pod.leaving()) continue;
    staying.push_back(i);
    if (pod.known) known.push_back(i);
  }
  return known.empty() ? staying : known;
}

std::string_view to_string(Orphan::Kind kind) {
  switch (kind) {
    case Orphan::Kind::kPodDirectory:
      return "pod_directory";
    case Orphan::Kind::kMount:
      return "mount";
    case Orphan::Kind::kStaging:
      return "staging";
    case Orphan::Kind::kLoopDevice:
      return "loop_device";
  }
  return "unknown";
}

bool is_read_only(const Claim& claim) {
  return !claim.access_modes.empty() &&
         std::all_of(claim.access_modes.begin(), claim.access_modes.end(),
                     [](const std::string& mode) { return mode == "ReadOnlyMany"; });
}

std::string_view to_string(Tier tier) {
  switch (tier) {
    case Tier::kUnknown:
      return "unknown";
    case Tier::kSsd:
      return "ssd";
    case Tier::kHdd:
      return "hdd";
    case Tier::kNetwork:
      return "network";
    case Tier::kMemory:
      return "memory";
    case Tier::kLoop:
      return "loop";
  }
  return "unknown";
}

std::string_view to_string(VolumeKind kind) {
  switch (kind) {
    case VolumeKind::kCsi:
      return "csi";
    case VolumeKind::kLocal:
      return "local";
    case VolumeKind::kHostPath:
      return "hostPath";
    case VolumeKind::kEmptyDir:
      return "emptyDir";
    case VolumeKind::kConfigMap:
      return "configMap";
    case VolumeKind::kSecret:
      return "secret";
    case VolumeKind::kProjected:
      return "projected";
    case VolumeKind::kDownwardApi:
      return "downwardAPI";
    case VolumeKind::kImage:
      return "image";
    case VolumeKind::kNfs:
      return "nfs";
    case VolumeKind::kIscsi:
      return "iscsi";
    case VolumeKind::kFc:
      return "fc";
    case VolumeKind::kRbd:
      return "rbd";
    case VolumeKind::kCephFs:
      return "cephfs";
    case VolumeKind::kCloudDisk:
      return "cloudDisk";
    case VolumeKind::kUnknown:
      return "unknown";
  }
  return "unknown";
}

bool is_api_object(VolumeKind kind) {
  return kind == VolumeKind::kConfigMap || kind == VolumeKind::kSecret ||
         kind == VolumeKind::kProjected || kind == VolumeKind::kDownwardApi;
}

bool on_several_nodes(const Claim& claim) {
  return std::any_of(claim.access_modes.begin(), claim.access_modes.end(),
                     [](const std::string& mode) { return mode.ends_with("Many"); });
}

std::string_view to_string(VolumeMode mode) {
  return mode == VolumeMode::kBlock ? "Block" : "Filesystem";
}

std::array<AnnotationPlace, 4> annotation_places(const Inventory& inventory, const Volume& volume) {
  static const Annotations kNone;  // of an object that there isn't
  const auto among = [](const std::map<std::string, Annotations>& all, const std::string& name) {
    const auto it = all.find(name);
    return it == all.end() ? nullptr : &it->second;
  };
  const Annotations* claim = &kNone;
  if (volume.claim) {
    const Claim& one = inventory.claims[*volume.claim];
    claim = one.read || !one.annotations.empty() ? &one.annotations : nullptr;
  }
  const Pod& pod = inventory.pods[volume.pod];
  const bool pod_read = pod.known || !pod.annotations.empty();
  const Annotations* storage_class =
      volume.storage_class.empty()
          ? &kNone
          : among(inventory.storage_class_annotations, volume.storage_class);
  return {{{claim, "PersistentVolumeClaim"},
           {pod_read ? &pod.annotations : nullptr, "Pod"},
           {among(inventory.namespace_annotations, pod.namespace_), "Namespace"},
           {storage_class, "StorageClass"}}};
}

const std::string* find_annotation(const Inventory& inventory, const Volume& volume,
                                   const std::string& name, std::string_view* owner) {
  const std::string key = std::string(kAnnotationPrefix) + name;
  for (const AnnotationPlace& place : annotation_places(inventory, volume)) {
    if (place.says == nullptr) continue;
    const auto it = place.says->find(key);
    if (it == place.says->end()) continue;
    if (owner != nullptr) *owner = place.owner;
    return &it->second;
  }
  return nullptr;
}

}  // namespace volumeter
