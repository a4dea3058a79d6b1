#include "host/pod_cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace volumeter {
namespace {

// kubelet/kubelet-kubepods.slice/... of clusters in containers is the deepest that is met.
constexpr int kDeepest = 6;

bool leads_to_pods(std::string_view name) {
  return name.starts_with("kube") || name == "burstable" || name == "besteffort" ||
         name == "guaranteed" || name == "k8s.io" || name.starts_with("docker-") ||
         name == "docker" || name == "system.slice";
}

// `needed`: a file that a pod's directory must have.
void look_in(const std::string& directory, int depth, const char* needed, PodCgroups& found) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || depth > kDeepest) return;
  const Status listed = list_directory(std::move(fd), [&](const DirectoryEntry& entry) {
    if (entry.type != DT_DIR) return;
    const std::string path = directory + "/" + entry.name;
    if (const std::string uid = pod_uid_of_cgroup(entry.name); !uid.empty()) {
      struct stat st {};
      const bool accounted = ::access((path + "/" + needed).c_str(), F_OK) == 0;
      if (accounted && ::stat(path.c_str(), &st) == 0) found[uid] = st.st_ino;
    } else if (leads_to_pods(entry.name)) {
      look_in(path, depth + 1, needed, found);
    }
  });
  (void)listed;  // what can't be listed has no pods for us
}

}  // namespace

std::string pod_uid_of_cgroup(std::string_view name) {
  constexpr std::string_view kSlice = ".slice";
  if (name.ends_with(kSlice)) name.remove_suffix(kSlice.size());
  const auto pod = name.rfind("pod");
  if (pod == std::string_view::npos || (pod > 0 && name[pod - 1] != '-')) return {};
  std::string uid(name.substr(pod + 3));
  if (uid.empty()) return {};
  std::replace(uid.begin(), uid.end(), '_', '-');
  // "kubepods" itself, and anything else that isn't a uid or a static pod's hash.
  const bool plausible = uid.size() >= 32 && std::all_of(uid.begin(), uid.end(), [](char c) {
                           return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                         });
  return plausible ? uid : std::string();
}

PodCgroups find_pod_cgroups(const HostPaths& host) {
  PodCgroups found;
  const std::string root = host.sysfs + "/fs/cgroup";
  const auto is_unified = [](const std::string& directory) {
    return read_file(directory + "/cgroup.controllers").ok();
  };
  look_in(root + "/blkio", 0, "cgroup.procs", found);
  for (const std::string& unified : {root + "/unified", root}) {
    if (found.empty() && is_unified(unified)) look_in(unified, 0, "io.stat", found);
  }
  return found;
}

}  // namespace volumeter
