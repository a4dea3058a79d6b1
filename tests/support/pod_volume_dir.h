// A volume's directory as the kubelet's tree has it, for tests of pure functions.
#pragma once

#include <string>

#include "kubelet/kubelet_tree.h"

namespace volumeter::test {

// Below the kubelet's directory `root`.
inline PodVolumeDir pod_volume_dir(const std::string& root, const std::string& uid,
                                   const std::string& plugin, const std::string& name) {
  PodVolumeDir dir;
  dir.pod_uid = uid;
  dir.plugin = plugin;
  dir.name = name;
  dir.path = root + "/pods/" + uid + "/volumes/kubernetes.io~" + plugin + "/" + name +
             (plugin == "csi" ? "/mount" : "");
  return dir;
}

}  // namespace volumeter::test
