// What Kubernetes says about this node's pods and their claims: plain values, as parsed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "volumeter/result.h"
#include "volumeter/volume.h"

namespace volumeter {

// One entry of pod.spec.volumes.
struct PodVolume {
  std::string name;
  VolumeKind kind = VolumeKind::kUnknown;  // unknown for a claim: its PersistentVolume tells
  std::string claim_name;                  // of a claim, or of a generic ephemeral volume's claim
  std::string host_path;
  std::string csi_driver;  // inline CSI
  std::optional<std::uint64_t> size_limit;

  bool operator==(const PodVolume&) const = default;
};

struct PodMetadata {
  Pod pod;
  std::string phase;  // "Pending", "Running", "Succeeded", "Failed"
  std::vector<PodVolume> volumes;

  bool operator==(const PodMetadata&) const = default;
};

struct ClaimMetadata {
  Claim claim;
  std::string persistent_volume;
  std::string storage_class;
  VolumeMode mode = VolumeMode::kFilesystem;

  bool operator==(const ClaimMetadata&) const = default;
};

struct PersistentVolumeMetadata {
  std::string name;
  VolumeKind kind = VolumeKind::kUnknown;
  std::string host_path;  // of hostPath and local volumes
  std::string csi_driver;
  std::string volume_handle;
  std::string storage_class;
  std::string reclaim_policy;
  std::string claim_namespace;
  std::string claim_name;
  std::optional<std::uint64_t> capacity_bytes;
  VolumeMode mode = VolumeMode::kFilesystem;

  bool operator==(const PersistentVolumeMetadata&) const = default;
};

struct StorageClassMetadata {
  std::string name;
  std::string provisioner;
  std::string reclaim_policy;

  bool operator==(const StorageClassMetadata&) const = default;
};

using ObjectKey = std::pair<std::string, std::string>;  // namespace, name

struct Metadata {
  std::map<std::string, PodMetadata> pods;  // by uid
  std::map<ObjectKey, ClaimMetadata> claims;
  std::map<std::string, PersistentVolumeMetadata> persistent_volumes;
  std::map<std::string, StorageClassMetadata> storage_classes;

  bool operator==(const Metadata&) const = default;
};

// Parsers of API objects. JSON of any shape gives a value or an error that names what is wrong;
// unknown fields are ignored, absent ones leave defaults.
Result<std::vector<PodMetadata>> parse_pod_list(const std::string& json);
Result<ClaimMetadata> parse_claim(const std::string& json);
Result<PersistentVolumeMetadata> parse_persistent_volume(const std::string& json);
Result<StorageClassMetadata> parse_storage_class(const std::string& json);

// A Kubernetes quantity ("40Mi", "1.5G", "1e3", "500m") in bytes, rounded up
// (kubernetes: apimachinery/pkg/api/resource/quantity.go). Nothing when it isn't one or is
// negative or over 2^63.
std::optional<std::uint64_t> parse_quantity(std::string_view text);

}  // namespace volumeter
