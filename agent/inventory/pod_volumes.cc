#include "inventory/pod_volumes.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace volumeter {
namespace {

// The kubelet's plugin directory names (kubernetes: pkg/volume/*/, each plugin's name).
VolumeKind kind_of_plugin(const std::string& plugin) {
  static const std::map<std::string, VolumeKind> kKinds = {
      {"csi", VolumeKind::kCsi},
      {"local-volume", VolumeKind::kLocal},
      {"host-path", VolumeKind::kHostPath},
      {"empty-dir", VolumeKind::kEmptyDir},
      {"configmap", VolumeKind::kConfigMap},
      {"secret", VolumeKind::kSecret},
      {"projected", VolumeKind::kProjected},
      {"downward-api", VolumeKind::kDownwardApi},
      {"image", VolumeKind::kImage},
      {"nfs", VolumeKind::kNfs},
      {"iscsi", VolumeKind::kIscsi},
      {"fc", VolumeKind::kFc},
      {"rbd", VolumeKind::kRbd},
      {"cephfs", VolumeKind::kCephFs},
      {"aws-ebs", VolumeKind::kCloudDisk},
      {"gce-pd", VolumeKind::kCloudDisk},
      {"azure-disk", VolumeKind::kCloudDisk},
      {"azure-file", VolumeKind::kCloudDisk},
      {"cinder", VolumeKind::kCloudDisk},
      {"vsphere-volume", VolumeKind::kCloudDisk},
      {"portworx-volume", VolumeKind::kCloudDisk}};
  const auto it = kKinds.find(plugin);
  return it == kKinds.end() ? VolumeKind::kUnknown : it->second;
}

// Directories that are the volume, rather than a place to mount one.
bool is_plain_directory(VolumeKind kind) {
  return is_api_object(kind) || kind == VolumeKind::kEmptyDir || kind == VolumeKind::kHostPath ||
         kind == VolumeKind::kImage;
}

// As the kubelet's hostPath and local volumes are written by people: "/data//x/" is /data/x.
std::string normal_path(const std::string& path) {
  if (!path.starts_with('/')) return path;
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

class PodJoin {
 public:
  PodJoin(const InventoryInput& input, Inventory& out, std::vector<const PodVolumeDir*>& dirs)
      : input_(input), metadata_(input.metadata), out_(out), dirs_(dirs) {}

  void add(const std::string& uid, const std::vector<const PodVolumeDir*>& dirs) {
    const auto known = metadata_.pods.find(uid);
    const PodMetadata* spec = known == metadata_.pods.end() ? nullptr : &known->second;
    out_.pods.push_back(pod(uid, spec));
    pod_ = out_.pods.size() - 1;
    deduced_ = spec == nullptr ? std::nullopt : deduce_claim(*spec, dirs);
    starting_ = spec != nullptr && is_starting(*spec);
    std::vector<bool> found(spec == nullptr ? 0 : spec->volumes.size());
    for (const PodVolumeDir* dir : dirs) add_directory(*dir, spec, found);
    if (spec == nullptr || spec->pod.leaving()) return;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) add_without_directory(spec->volumes[i], spec->phase == "Running");
    }
  }

 private:
  // None of its containers runs: after a reboot the API server doesn't know that for a while.
  [[nodiscard]] bool is_starting(const PodMetadata& spec) const {
    if (spec.phase == "Pending") return spec.running_containers.empty();
    return spec.containers_started && input_.booted && *spec.containers_started < *input_.booted;
  }

  [[nodiscard]] Pod pod(const std::string& uid, const PodMetadata* spec) const {
    Pod pod;
    if (spec != nullptr) {
      pod = spec->pod;
      pod.known = true;
    } else if (const auto log = input_.pod_logs.find(uid); log != input_.pod_logs.end()) {
      pod.namespace_ = log->second.namespace_;
      pod.name = log->second.name;
    }
    pod.uid = uid;  // a static pod's directory is named by its mirror hash
    if (const auto it = input_.cgroups.find(uid); it != input_.cgroups.end())
      pod.cgroup = it->second;
    return pod;
  }

  const ClaimMetadata* claim_of(const PodVolume& volume) const {
    if (volume.claim_name.empty()) return nullptr;
    const auto it = metadata_.claims.find({out_.pods[pod_].namespace_, volume.claim_name});
    if (it != metadata_.claims.end()) return &it->second;
    return deduced_ && deduced_->claim.name == volume.claim_name ? &*deduced_ : nullptr;
  }

  // Where claims can't be read (a kubelet alone, or no permission), nobody says which
  // PersistentVolume a claim has. But a pod's only such claim and its only directory of a
  // PersistentVolume belong together.
  [[nodiscard]] std::optional<ClaimMetadata> deduce_claim(
      const PodMetadata& spec, const std::vector<const PodVolumeDir*>& dirs) const {
    std::set<std::string> claims;
    std::set<std::string> taken;  // directories that are accounted for
    for (const PodVolume& volume : spec.volumes) {
      const auto known = metadata_.claims.find({spec.pod.namespace_, volume.claim_name});
      if (volume.claim_name.empty()) continue;
      if (known == metadata_.claims.end()) {
        claims.insert(volume.claim_name);
      } else {
        taken.insert(known->second.persistent_volume);
      }
    }
    std::set<std::string> free;
    for (const PodVolumeDir* dir : dirs) {
      const bool listed = std::any_of(
          spec.volumes.begin(), spec.volumes.end(),
          [&](const PodVolume& v) { return v.claim_name.empty() && is_inline(v, *dir); });
      if (!is_plain_directory(kind_of_plugin(dir->plugin)) && !listed &&
          !taken.contains(dir->name)) {
        free.insert(dir->name);
      }
    }
    if (claims.size() != 1 || free.size() != 1) return std::nullopt;
    ClaimMetadata claim;
    claim.claim.namespace_ = spec.pod.namespace_;
    claim.claim.name = *claims.begin();
    claim.persistent_volume = *free.begin();
    return claim;
  }

  const PersistentVolumeMetadata* persistent_volume(const std::string& name) const {
    const auto it = metadata_.persistent_volumes.find(name);
    return it == metadata_.persistent_volumes.end() ? nullptr : &it->second;
  }

  // A pod can name one claim twice: one directory is then two volumes.
  void add_directory(const PodVolumeDir& dir, const PodMetadata* spec, std::vector<bool>& found) {
    bool matched = false;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const PodVolume& candidate = spec->volumes[i];
      const ClaimMetadata* claim = claim_of(candidate);
      const bool same = candidate.claim_name.empty()
                            ? is_inline(candidate, dir)
                            : claim != nullptr && claim->persistent_volume == dir.name &&
                                  !is_plain_directory(kind_of_plugin(dir.plugin));
      if (!same) continue;
      found[i] = matched = true;
      push(from_directory(dir, &candidate, claim), &dir);
    }
    if (!matched) push(from_directory(dir, nullptr, nullptr), &dir);
  }

  // Whether `dir` is the directory of a volume without a claim. A PersistentVolume may have the
  // same name as one.
  static bool is_inline(const PodVolume& volume, const PodVolumeDir& dir) {
    const VolumeKind kind = kind_of_plugin(dir.plugin);
    return volume.name == dir.name && !is_persistent(dir) &&
           (volume.kind == kind || volume.kind == VolumeKind::kUnknown ||
            kind == VolumeKind::kUnknown);
  }

  static bool is_persistent(const PodVolumeDir& dir) {
    return dir.mode == VolumeMode::kBlock ||
           (dir.plugin == "csi" && !dir.csi.ephemeral && !dir.csi.spec_volume_id.empty());
  }

  Volume from_directory(const PodVolumeDir& dir, const PodVolume* spec,
                        const ClaimMetadata* claim) {
    Volume volume;
    volume.name = spec == nullptr ? dir.name : spec->name;
    volume.kind = kind_of_plugin(dir.plugin);
    volume.mode = dir.mode;
    volume.path = dir.path;
    volume.csi_driver = dir.csi.driver;
    volume.volume_handle = dir.csi.volume_handle;
    if (spec != nullptr) volume.size_limit = spec->size_limit;
    volume.wants_read_only = spec != nullptr && spec->read_only;
    // Inline volumes of a pod have no PersistentVolume; a directory of a persistent plugin is
    // named after its one.
    const bool persistent = claim != nullptr || is_persistent(dir);
    if (persistent) volume.persistent_volume = dir.name;
    set_claim(volume, claim);
    return volume;
  }

  void add_without_directory(const PodVolume& spec, bool running) {
    Volume volume;
    volume.name = spec.name;
    volume.kind = spec.kind;
    volume.path = normal_path(spec.host_path);
    volume.wants_read_only = spec.read_only;
    const ClaimMetadata* claim = claim_of(spec);
    if (claim != nullptr) {
      const PersistentVolumeMetadata* pv = persistent_volume(claim->persistent_volume);
      if (pv == nullptr) return;
      volume.kind = pv->kind;
      volume.mode = claim->mode;
      volume.persistent_volume = pv->name;
      if (pv->kind == VolumeKind::kHostPath) volume.path = normal_path(pv->host_path);
    }
    set_claim(volume, claim);
    const bool elsewhere =
        volume.kind == VolumeKind::kHostPath || volume.kind == VolumeKind::kImage;
    // A claim of a running pod without any directory is a volume that isn't there.
    if (elsewhere || (running && claim != nullptr)) push(std::move(volume), nullptr);
  }

  void set_claim(Volume& volume, const ClaimMetadata* claim) {
    if (const auto* pv = persistent_volume(volume.persistent_volume)) {
      volume.storage_class = pv->storage_class;
      volume.reclaim_policy = pv->reclaim_policy;
      volume.volume_bytes = pv->capacity_bytes;
      volume.wants_read_only = volume.wants_read_only || pv->read_only;
      if (!pv->csi_driver.empty()) volume.csi_driver = pv->csi_driver;
      if (!pv->volume_handle.empty()) volume.volume_handle = pv->volume_handle;
      if (claim == nullptr && !pv->claim_name.empty()) {
        const auto full = metadata_.claims.find({pv->claim_namespace, pv->claim_name});
        volume.claim =
            claim_index(full != metadata_.claims.end() ? full->second.claim : bound_claim(*pv));
      }
    }
    if (claim == nullptr) return;
    if (volume.storage_class.empty()) volume.storage_class = claim->storage_class;
    volume.claim = claim_index(claim->claim);
  }

  static Claim bound_claim(const PersistentVolumeMetadata& pv) {
    Claim claim;
    claim.namespace_ = pv.claim_namespace;
    claim.name = pv.claim_name;
    return claim;
  }

  std::size_t claim_index(const Claim& claim) {
    const auto [it, fresh] =
        claims_.try_emplace({claim.namespace_, claim.name}, out_.claims.size());
    if (fresh) {
      out_.claims.push_back(claim);
      const auto word = metadata_.abnormal.find({claim.namespace_, claim.name});
      if (word != metadata_.abnormal.end()) out_.claims.back().abnormal = word->second;
    }
    return it->second;
  }

  void push(Volume volume, const PodVolumeDir* dir) {
    volume.pod = pod_;
    volume.mount_expected = !is_plain_directory(volume.kind);
    volume.mount_awaited = starting_;
    if (volume.claim && is_read_only(out_.claims[*volume.claim])) volume.wants_read_only = true;
    out_.volumes.push_back(std::move(volume));
    dirs_.push_back(dir);
  }

  const InventoryInput& input_;
  const Metadata& metadata_;
  Inventory& out_;
  std::vector<const PodVolumeDir*>& dirs_;
  std::map<ObjectKey, std::size_t> claims_;
  std::size_t pod_ = 0;
  // Of the pod at hand:
  std::optional<ClaimMetadata> deduced_;
  bool starting_ = false;  // none of its containers runs yet
};

}  // namespace

void add_pod_volumes(const InventoryInput& input, Inventory& inventory,
                     std::vector<const PodVolumeDir*>& dirs) {
  std::map<std::string, std::vector<const PodVolumeDir*>> by_pod;
  for (const std::string& uid : input.kubelet.pod_uids) by_pod[uid];
  for (const PodVolumeDir& dir : input.kubelet.volumes) by_pod[dir.pod_uid].push_back(&dir);
  for (const auto& [name, space] : input.metadata.namespaces) {
    inventory.namespace_annotations[name] = space.annotations;
  }
  for (const auto& [name, cls] : input.metadata.storage_classes) {
    inventory.storage_class_annotations[name] = cls.annotations;
  }
  PodJoin join(input, inventory, dirs);
  for (const auto& [uid, pod_dirs] : by_pod) join.add(uid, pod_dirs);
}

}  // namespace volumeter
