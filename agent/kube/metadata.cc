#include "kube/metadata.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace volumeter {
namespace {

using Json = nlohmann::json;

const Json& at(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

std::string text(const Json& object, const char* key) {
  const Json& value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::uint64_t> quantity(const Json& value) {
  if (value.is_string()) return parse_quantity(value.get_ref<const std::string&>());
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  return std::nullopt;
}

Result<Json> parse_object(const std::string& json, const char* what) {
  Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) {
    return Error{std::string(what) + ": the answer of " + std::to_string(json.size()) +
                 " bytes is not valid JSON"};
  }
  if (!parsed.is_object()) return Error{std::string(what) + ": the answer is not a JSON object"};
  return parsed;
}

struct KindKey {
  const char* key;
  VolumeKind kind;
};
constexpr std::array kKinds = {
    KindKey{"csi", VolumeKind::kCsi},
    KindKey{"local", VolumeKind::kLocal},
    KindKey{"hostPath", VolumeKind::kHostPath},
    KindKey{"emptyDir", VolumeKind::kEmptyDir},
    KindKey{"configMap", VolumeKind::kConfigMap},
    KindKey{"secret", VolumeKind::kSecret},
    KindKey{"projected", VolumeKind::kProjected},
    KindKey{"downwardAPI", VolumeKind::kDownwardApi},
    KindKey{"image", VolumeKind::kImage},
    KindKey{"nfs", VolumeKind::kNfs},
    KindKey{"iscsi", VolumeKind::kIscsi},
    KindKey{"fc", VolumeKind::kFc},
    KindKey{"rbd", VolumeKind::kRbd},
    KindKey{"cephfs", VolumeKind::kCephFs},
    KindKey{"awsElasticBlockStore", VolumeKind::kCloudDisk},
    KindKey{"gcePersistentDisk", VolumeKind::kCloudDisk},
    KindKey{"azureDisk", VolumeKind::kCloudDisk},
    KindKey{"azureFile", VolumeKind::kCloudDisk},
    KindKey{"cinder", VolumeKind::kCloudDisk},
    KindKey{"vsphereVolume", VolumeKind::kCloudDisk},
    KindKey{"portworxVolume", VolumeKind::kCloudDisk},
};

// The volume source is whichever known field is present.
VolumeKind kind_of(const Json& source) {
  for (const KindKey& known : kKinds) {
    if (at(source, known.key).is_object()) return known.kind;
  }
  return VolumeKind::kUnknown;
}

VolumeMode mode_of(const Json& spec) {
  return text(spec, "volumeMode") == "Block" ? VolumeMode::kBlock : VolumeMode::kFilesystem;
}

PodVolume to_pod_volume(const Json& source, const std::string& pod_name) {
  PodVolume volume;
  volume.name = text(source, "name");
  volume.kind = kind_of(source);
  volume.host_path = text(at(source, "hostPath"), "path");
  volume.csi_driver = text(at(source, "csi"), "driver");
  volume.size_limit = quantity(at(at(source, "emptyDir"), "sizeLimit"));
  volume.claim_name = text(at(source, "persistentVolumeClaim"), "claimName");
  // KEP-1698: a generic ephemeral volume's claim is named <pod>-<volume>.
  if (at(source, "ephemeral").is_object()) volume.claim_name = pod_name + "-" + volume.name;
  return volume;
}

// A StatefulSet's pod is named <set>-<ordinal>.
std::optional<int> ordinal_of(const Pod& pod) {
  if (pod.owner_kind != "StatefulSet" || !pod.name.starts_with(pod.owner_name + "-")) return {};
  const std::string_view digits = std::string_view(pod.name).substr(pod.owner_name.size() + 1);
  int ordinal = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (error != std::errc() || end != digits.data() + digits.size() || ordinal < 0) return {};
  return ordinal;
}

PodMetadata to_pod(const Json& item) {
  PodMetadata out;
  const Json& meta = at(item, "metadata");
  out.pod.uid = text(meta, "uid");
  out.pod.namespace_ = text(meta, "namespace");
  out.pod.name = text(meta, "name");
  out.pod.node = text(at(item, "spec"), "nodeName");
  out.pod.deleting = at(meta, "deletionTimestamp").is_string();
  for (const Json& owner : at(meta, "ownerReferences")) {
    if (at(owner, "controller") != true) continue;
    out.pod.owner_kind = text(owner, "kind");
    out.pod.owner_name = text(owner, "name");
  }
  out.pod.ordinal = ordinal_of(out.pod);
  out.phase = text(at(item, "status"), "phase");
  for (const Json& source : at(at(item, "spec"), "volumes")) {
    out.volumes.push_back(to_pod_volume(source, out.pod.name));
  }
  // A static pod's directory is named after the hash in this annotation, not after the uid of
  // its mirror (kubernetes: pkg/kubelet/types/pod_update.go).
  const std::string mirror = text(at(meta, "annotations"), "kubernetes.io/config.mirror");
  if (!mirror.empty()) out.pod.uid = mirror;
  return out;
}

}  // namespace

Result<std::vector<PodMetadata>> parse_pod_list(const std::string& json) {
  auto list = parse_object(json, "pods");
  if (!list) return list.error();
  const Json& items = at(*list, "items");
  if (!items.is_array() && !items.is_null()) return Error{"pods: \"items\" is not an array"};
  std::vector<PodMetadata> pods;
  for (const Json& item : items) {
    PodMetadata pod = to_pod(item);
    if (pod.pod.uid.empty()) return Error{"pods: an item has no metadata.uid"};
    pods.push_back(std::move(pod));
  }
  return pods;
}

Result<ClaimMetadata> parse_claim(const std::string& json) {
  auto object = parse_object(json, "persistentvolumeclaim");
  if (!object) return object.error();
  const Json& meta = at(*object, "metadata");
  const Json& spec = at(*object, "spec");
  ClaimMetadata out;
  out.claim.namespace_ = text(meta, "namespace");
  out.claim.name = text(meta, "name");
  if (out.claim.name.empty()) return Error{"persistentvolumeclaim: no metadata.name"};
  out.claim.requested_bytes = quantity(at(at(at(spec, "resources"), "requests"), "storage"));
  for (const Json& mode : at(spec, "accessModes")) {
    if (mode.is_string()) out.claim.access_modes.push_back(mode.get<std::string>());
  }
  out.persistent_volume = text(spec, "volumeName");
  out.storage_class = text(spec, "storageClassName");
  out.mode = mode_of(spec);
  return out;
}

Result<PersistentVolumeMetadata> parse_persistent_volume(const std::string& json) {
  auto object = parse_object(json, "persistentvolume");
  if (!object) return object.error();
  const Json& spec = at(*object, "spec");
  PersistentVolumeMetadata out;
  out.name = text(at(*object, "metadata"), "name");
  if (out.name.empty()) return Error{"persistentvolume: no metadata.name"};
  out.kind = kind_of(spec);
  out.host_path = text(at(spec, out.kind == VolumeKind::kLocal ? "local" : "hostPath"), "path");
  out.csi_driver = text(at(spec, "csi"), "driver");
  out.volume_handle = text(at(spec, "csi"), "volumeHandle");
  out.storage_class = text(spec, "storageClassName");
  out.reclaim_policy = text(spec, "persistentVolumeReclaimPolicy");
  out.claim_namespace = text(at(spec, "claimRef"), "namespace");
  out.claim_name = text(at(spec, "claimRef"), "name");
  out.capacity_bytes = quantity(at(at(spec, "capacity"), "storage"));
  out.mode = mode_of(spec);
  return out;
}

Result<StorageClassMetadata> parse_storage_class(const std::string& json) {
  auto object = parse_object(json, "storageclass");
  if (!object) return object.error();
  StorageClassMetadata out;
  out.name = text(at(*object, "metadata"), "name");
  if (out.name.empty()) return Error{"storageclass: no metadata.name"};
  out.provisioner = text(*object, "provisioner");
  out.reclaim_policy = text(*object, "reclaimPolicy");
  return out;
}

std::optional<std::uint64_t> parse_quantity(std::string_view input) {
  double number = 0;
  const char* const end = input.data() + input.size();
  const auto [rest, error] = std::from_chars(input.data(), end, number);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  static const std::map<std::string_view, double> kScales = {
      {"", 1},        {"n", 1e-9},    {"u", 1e-6},    {"m", 1e-3},   {"k", 1e3},     {"M", 1e6},
      {"G", 1e9},     {"T", 1e12},    {"P", 1e15},    {"E", 1e18},   {"Ki", 0x1p10}, {"Mi", 0x1p20},
      {"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60}};
  const auto scale = kScales.find(suffix);
  if (scale == kScales.end()) return std::nullopt;
  const double bytes = std::ceil(number * scale->second);
  if (bytes < 0 || bytes > 0x1p63) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace volumeter
