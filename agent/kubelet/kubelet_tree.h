// The kubelet's own record of this node's volumes: <kubelet>/pods/<uid>/{volumes,volumeDevices,
// volume-subpaths} (kubernetes: pkg/kubelet/kubelet_getters.go).
//
// These directories lie on the node's disk; the volumes are mounted inside them. Only directories
// that hold mount points are listed, never a mount point itself, and every open below pods/ refuses
// to cross a mount or follow a symlink: a hung volume can't hold this up.
#pragma once

#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/host.h"
#include "volumeter/volume.h"

namespace volumeter {

// vol_data.json of a CSI volume (kubernetes: pkg/volume/csi/csi_plugin.go).
struct CsiVolumeData {
  std::string driver;
  std::string volume_handle;
  std::string spec_volume_id;  // the PersistentVolume's name; for inline CSI the volume's
  bool ephemeral = false;      // inline CSI

  bool operator==(const CsiVolumeData&) const = default;
};
Result<CsiVolumeData> parse_vol_data(const std::string& json);

struct PodVolumeDir {
  std::string pod_uid;
  std::string plugin;  // "csi", "local-volume", "empty-dir": the directory name after '~'
  std::string name;    // the PersistentVolume's name, or the pod's name for the volume
  std::string path;    // on the host: where the volume is or would be mounted
  VolumeMode mode = VolumeMode::kFilesystem;
  std::string link_target;  // block volumes: what the symlink in volumeDevices points to
  CsiVolumeData csi;        // empty but for CSI volumes whose vol_data.json could be read

  bool operator==(const PodVolumeDir&) const = default;
};

// A CSI volume that was staged for this node's pods:
// <kubelet>/plugins/kubernetes.io/csi/<driver>/<hash of the handle>/{globalmount,vol_data.json}
// (kubernetes: pkg/volume/csi/csi_attacher.go, makeDeviceMountPath; before 1.24 csi/pv/<PV>/).
struct StagedVolume {
  std::string path;  // on the host: where it is or would be mounted
  std::string driver;
  std::string volume_handle;

  bool operator==(const StagedVolume&) const = default;
};

struct KubeletTree {
  std::string root;  // on the host, symlinks resolved
  std::vector<std::string> pod_uids;
  std::vector<PodVolumeDir> volumes;
  std::vector<StagedVolume> staged;
  std::vector<std::string> problems;  // what could not be read and why; costs only itself

  bool operator==(const KubeletTree&) const = default;
};

// Remembers vol_data.json between scans: the kubelet writes it once per volume. One thread.
class KubeletScanner {
 public:
  // `root` is the kubelet's directory on the host. Cost: about ten system calls a pod. An error
  // when `root`/pods can't be read; a pod that vanishes in the middle is left out.
  Result<KubeletTree> scan(const HostPaths& host, const std::string& root);

  // Whether pods have come or gone since the last scan; one stat. True when that can't be told.
  bool pods_changed(const HostPaths& host, const std::string& root) const;

 private:
  std::map<std::string, CsiVolumeData> vol_data_;  // by path
  std::optional<timespec> pods_modified_;  // of <root>/pods, before the last scan began; absent
                                           // when that was just now, so more may have come since
};

// Namespace and name of each pod by uid, from the names in <rootfs>/var/log/pods
// (<namespace>_<name>_<uid>).
struct PodName {
  std::string namespace_;
  std::string name;
  bool operator==(const PodName&) const = default;
};
using PodLogNames = std::map<std::string, PodName>;
Result<PodLogNames> scan_pod_logs(const HostPaths& host);

}  // namespace volumeter
