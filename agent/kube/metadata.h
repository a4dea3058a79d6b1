// What Kubernetes says about this node's pods and their claims: plain values, as parsed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

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
  bool read_only = false;

  bool operator==(const PodVolume&) const = default;
};

struct PodMetadata {
  Pod pod;            // its owner is already the Deployment, where a ReplicaSet stands between
  std::string phase;  // "Pending", "Running", "Succeeded", "Failed"
  std::vector<PodVolume> volumes;
  // Sum over the containers that have one (KEP-361); the kubelet evicts a pod above it.
  std::optional<std::uint64_t> ephemeral_storage_limit;
  std::vector<std::string> running_containers;  // their ids, without the runtime's scheme
  std::optional<std::chrono::sys_seconds> containers_started = {};  // the last of those

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
  std::string nfs_server;
  std::string nfs_path;
  std::string fs_type;     // of csi; empty: the driver's choice
  bool read_only = false;  // its source or its mountOptions say so
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
  Annotations annotations;

  bool operator==(const StorageClassMetadata&) const = default;
};

struct NamespaceMetadata {
  std::string name;
  Annotations annotations;

  bool operator==(const NamespaceMetadata&) const = default;
};

using ObjectKey = std::pair<std::string, std::string>;  // namespace, name

struct Metadata {
  std::map<std::string, PodMetadata> pods;  // by uid
  std::map<ObjectKey, ClaimMetadata> claims;
  std::map<std::string, PersistentVolumeMetadata> persistent_volumes;
  std::map<std::string, StorageClassMetadata> storage_classes;
  std::map<std::string, NamespaceMetadata> namespaces;
  std::map<ObjectKey, bool> abnormal;  // claims of which the kubelet says whether they are well
  std::set<ObjectKey> walked_here;     // claims on network shares that this node is to walk

  bool operator==(const Metadata&) const = default;
};

}  // namespace volumeter
