#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "kube/json.h"
#include "kube/parse.h"

namespace volumeter {

using kube::at;
using kube::Json;
using kube::text;

namespace {

// kubernetes: pkg/apis/core/types.go, PersistentVolumeClaimConditionType. The messages are
// somebody else's words: they aren't kept.
void read_resize(const Json& conditions, Claim& claim) {
  for (const Json& condition : conditions) {
    if (text(condition, "status") != "True") continue;
    const std::string type = text(condition, "type");
    if (type == "ControllerResizeError" || type == "NodeResizeError") claim.resize_failed = true;
    if (type != "Resizing" && type != "FileSystemResizePending") continue;
    const auto since = kube::time(text(condition, "lastTransitionTime"));
    if (since) claim.resizing_since = std::max(claim.resizing_since.value_or(*since), *since);
  }
}

}  // namespace

Result<ClaimMetadata> parse_claim(std::string_view json) {
  auto object = kube::parse_object(json, "persistentvolumeclaim");
  if (!object) return object.error();
  const Json& meta = at(*object, "metadata");
  const Json& spec = at(*object, "spec");
  ClaimMetadata out;
  out.claim.namespace_ = text(meta, "namespace");
  out.claim.name = text(meta, "name");
  if (out.claim.name.empty()) return Error{"persistentvolumeclaim: no metadata.name"};
  out.claim.requested_bytes = kube::quantity(at(at(at(spec, "resources"), "requests"), "storage"));
  for (const Json& mode : at(spec, "accessModes")) {
    if (mode.is_string()) out.claim.access_modes.push_back(mode.get<std::string>());
  }
  const Json& status = at(*object, "status");
  out.claim.granted_bytes = kube::quantity(at(at(status, "capacity"), "storage"));
  read_resize(at(status, "conditions"), out.claim);
  out.claim.annotations = kube::annotations_of(meta);
  // kubernetes-mixin's way to say it.
  if (text(at(meta, "labels"), "excluded_from_alerts") == "true") {
    out.claim.annotations.emplace(std::string(kAnnotationPrefix) + "alerts", "off");
  }
  out.claim.read = true;
  out.persistent_volume = text(spec, "volumeName");
  out.storage_class = text(spec, "storageClassName");
  out.mode = kube::mode_of(spec);
  return out;
}

Result<PersistentVolumeMetadata> parse_persistent_volume(std::string_view json) {
  auto object = kube::parse_object(json, "persistentvolume");
  if (!object) return object.error();
  const Json& spec = at(*object, "spec");
  PersistentVolumeMetadata out;
  out.name = text(at(*object, "metadata"), "name");
  if (out.name.empty()) return Error{"persistentvolume: no metadata.name"};
  out.kind = kube::kind_of(spec);
  out.host_path = text(at(spec, out.kind == VolumeKind::kLocal ? "local" : "hostPath"), "path");
  out.csi_driver = text(at(spec, "csi"), "driver");
  out.volume_handle = text(at(spec, "csi"), "volumeHandle");
  out.fs_type = text(at(spec, "csi"), "fsType");
  out.nfs_server = text(at(spec, "nfs"), "server");
  out.nfs_path = text(at(spec, "nfs"), "path");
  out.read_only = kube::source_is_read_only(spec);
  for (const Json& option : at(spec, "mountOptions")) out.read_only |= option == "ro";
  out.storage_class = text(spec, "storageClassName");
  out.reclaim_policy = text(spec, "persistentVolumeReclaimPolicy");
  out.claim_namespace = text(at(spec, "claimRef"), "namespace");
  out.claim_name = text(at(spec, "claimRef"), "name");
  out.capacity_bytes = kube::quantity(at(at(spec, "capacity"), "storage"));
  out.mode = kube::mode_of(spec);
  return out;
}

Result<StorageClassMetadata> parse_storage_class(std::string_view json) {
  auto object = kube::parse_object(json, "storageclass");
  if (!object) return object.error();
  StorageClassMetadata out;
  out.name = text(at(*object, "metadata"), "name");
  if (out.name.empty()) return Error{"storageclass: no metadata.name"};
  out.provisioner = text(*object, "provisioner");
  out.reclaim_policy = text(*object, "reclaimPolicy");
  out.annotations = kube::annotations_of(at(*object, "metadata"));
  return out;
}

Result<NamespaceMetadata> parse_namespace(std::string_view json) {
  auto object = kube::parse_object(json, "namespace");
  if (!object) return object.error();
  NamespaceMetadata out;
  out.name = text(at(*object, "metadata"), "name");
  if (out.name.empty()) return Error{"namespace: no metadata.name"};
  out.annotations = kube::annotations_of(at(*object, "metadata"));
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
