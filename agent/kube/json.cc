#include "kube/json.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <set>

#include "kube/parse.h"

namespace volumeter::kube {
namespace {

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

bool is_unread(const std::string& key) {
  static const std::set<std::string, std::less<>> kKeys = {
      "managedFields", "affinity", "tolerations", "securityContext", "podIPs", "hostIPs",
      "imagePullSecrets", "readinessGates", "topologySpreadConstraints",
      // Of containers, only their limits and ids are read.
      "env", "envFrom", "command", "args", "ports", "volumeMounts", "volumeDevices",
      "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "lastState", "imageID",
      "allocatedResources"};
  return kKeys.contains(key);
}

}  // namespace

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

Result<Json> parse_object(std::string_view json, const char* what) {
  const auto keep = [](int /*depth*/, Json::parse_event_t event, Json& parsed) {
    return event != Json::parse_event_t::key || !is_unread(parsed.get_ref<const std::string&>());
  };
  Json parsed = Json::parse(json, keep, false);
  if (parsed.is_discarded()) {
    return Error{std::string(what) + ": the answer of " + std::to_string(json.size()) +
                 " bytes is not valid JSON"};
  }
  if (!parsed.is_object()) return Error{std::string(what) + ": the answer is not a JSON object"};
  return parsed;
}

std::optional<std::chrono::sys_seconds> time(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

VolumeKind kind_of(const Json& source) {
  for (const KindKey& known : kKinds) {
    if (at(source, known.key).is_object()) return known.kind;
  }
  return VolumeKind::kUnknown;
}

bool source_is_read_only(const Json& volume) {
  if (!volume.is_object()) return false;
  return std::any_of(volume.begin(), volume.end(),
                     [](const Json& source) { return at(source, "readOnly") == true; });
}

VolumeMode mode_of(const Json& spec) {
  return text(spec, "volumeMode") == "Block" ? VolumeMode::kBlock : VolumeMode::kFilesystem;
}

Annotations annotations_of(const Json& metadata) {
  Annotations out;
  const Json& all = at(metadata, "annotations");
  if (!all.is_object()) return out;
  for (const auto& [key, value] : all.items()) {
    if (key.starts_with(kAnnotationPrefix) && value.is_string()) {
      out[key] = value.get<std::string>();
    }
  }
  return out;
}

}  // namespace volumeter::kube
