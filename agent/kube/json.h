// What the parsers of API objects share.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "volumeter/result.h"
#include "volumeter/volume.h"

namespace volumeter::kube {

using Json = nlohmann::json;

// A member, or null where `object` has none or isn't an object.
const Json& at(const Json& object, const char* key);
// A string member, or "".
std::string text(const Json& object, const char* key);
std::optional<std::uint64_t> quantity(const Json& value);

// metav1.Time: "2026-01-02T03:04:05Z".
std::optional<std::chrono::sys_seconds> time(const std::string& text);

// Parts that volumeter doesn't read (managedFields, environment variables, ...) are left out while
// parsing: they are most of a pod.
Result<Json> parse_object(std::string_view json, const char* what);

// The volume source is whichever known field is present.
VolumeKind kind_of(const Json& source);
VolumeMode mode_of(const Json& spec);
// Of a pod's volume or a PersistentVolume's spec: `readOnly` in whichever source it has.
bool source_is_read_only(const Json& volume);
// Those of `metadata` that begin with kAnnotationPrefix.
Annotations annotations_of(const Json& metadata);

}  // namespace volumeter::kube
