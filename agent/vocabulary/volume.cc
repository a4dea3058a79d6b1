#include "volumeter/volume.h"

namespace volumeter {

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

std::string_view to_string(VolumeMode mode) {
  return mode == VolumeMode::kBlock ? "Block" : "Filesystem";
}

}  // namespace volumeter
