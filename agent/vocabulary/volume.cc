#include "volumeter/volume.h"

#include <algorithm>

#include "volumeter/inventory.h"

namespace volumeter {

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

const std::string* find_annotation(const Inventory& inventory, const Volume& volume,
                                   const std::string& name, std::string_view* owner) {
  const std::string key = std::string(kAnnotationPrefix) + name;
  const auto in = [&](const Annotations& annotations, std::string_view kind) -> const std::string* {
    const auto it = annotations.find(key);
    if (it == annotations.end()) return nullptr;
    if (owner != nullptr) *owner = kind;
    return &it->second;
  };
  const auto among = [&](const std::map<std::string, Annotations>& all, const std::string& of,
                         std::string_view kind) -> const std::string* {
    const auto it = all.find(of);
    return it == all.end() ? nullptr : in(it->second, kind);
  };
  const Pod& pod = inventory.pods[volume.pod];
  if (volume.claim) {
    const Claim& claim = inventory.claims[*volume.claim];
    if (const auto* value = in(claim.annotations, "PersistentVolumeClaim")) return value;
  }
  if (const auto* value = in(pod.annotations, "Pod")) return value;
  if (const auto* value = among(inventory.namespace_annotations, pod.namespace_, "Namespace")) {
    return value;
  }
  return among(inventory.storage_class_annotations, volume.storage_class, "StorageClass");
}

}  // namespace volumeter
