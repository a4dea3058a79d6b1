// Parsers of API objects. JSON of any shape gives a value or an error that names what is wrong;
// unknown fields are ignored, absent ones leave defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/metadata.h"
#include "volumeter/result.h"

namespace volumeter {

// What the API server or a kubelet answers to a list of pods.
struct PodList {
  std::vector<PodMetadata> pods;
  std::string resource_version;  // where a watch may go on; empty from a kubelet
};
Result<PodList> parse_pod_list(std::string_view json);

// One line of a watch (kubernetes: apimachinery/pkg/apis/meta/v1/watch.go).
struct PodEvent {
  enum class Type { kChanged, kDeleted, kBookmark, kError };
  Type type = Type::kError;
  PodMetadata pod;               // of a change or deletion
  std::string resource_version;  // but for an error
  int code = 0;                  // of an error: 410 when the version is too old to go on from
  std::string message;           // likewise
};
Result<PodEvent> parse_pod_event(std::string_view line);

Result<ClaimMetadata> parse_claim(std::string_view json);
Result<PersistentVolumeMetadata> parse_persistent_volume(std::string_view json);
Result<StorageClassMetadata> parse_storage_class(std::string_view json);
Result<NamespaceMetadata> parse_namespace(std::string_view json);

// A Kubernetes quantity ("40Mi", "1.5G", "1e3", "500m") in bytes, rounded up
// (kubernetes: apimachinery/pkg/api/resource/quantity.go). Nothing when it isn't one or is
// negative or over 2^63.
std::optional<std::uint64_t> parse_quantity(std::string_view text);

}  // namespace volumeter
