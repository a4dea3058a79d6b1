#include "kubelet/kubelet_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

namespace volumeter {
namespace {

constexpr std::size_t kVolDataLimit = 64 << 10;
constexpr std::string_view kPluginPrefix = "kubernetes.io~";

using Names = std::vector<DirectoryEntry>;

// Entries sorted by name; an absent directory has none.
Result<Names> list_beneath(int directory, const std::string& path) {
  Names names;
  auto fd = open_resolved(directory, path, O_RDONLY | O_DIRECTORY, Resolve::kBeneathOneFilesystem);
  if (!fd) {
    if (fd.error().code == ENOENT) return names;
    return fd.error();
  }
  auto listed = list_directory(std::move(fd).value(),
                               [&](DirectoryEntry entry) { names.push_back(std::move(entry)); });
  if (!listed) return listed.error();
  std::sort(names.begin(), names.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return names;
}

std::string plugin_of(const std::string& directory) {
  if (directory.starts_with(kPluginPrefix)) return directory.substr(kPluginPrefix.size());
  return directory;
}

// One scan: the state that its steps share.
struct Scan {
  int pods = -1;  // the open <root>/pods
  std::string pods_path;
  KubeletTree tree;
  std::map<std::string, CsiVolumeData>& old_vol_data;
  std::map<std::string, CsiVolumeData> vol_data;

  void problem(const Error& error) { tree.problems.push_back(error.message); }

  // `name` is `path` from `directory`.
  CsiVolumeData csi_data(int directory, const std::string& name, const std::string& path) {
    if (const auto known = old_vol_data.find(path); known != old_vol_data.end()) {
      return vol_data[path] = known->second;
    }
    auto json = read_file_beneath(directory, name, kVolDataLimit);
    if (!json) {
      if (json.error().code != ENOENT) problem(json.error());
      return {};
    }
    auto parsed = parse_vol_data(*json);
    if (!parsed) {
      problem({path + ": " + parsed.error().message, 0});
      return {};
    }
    return vol_data[path] = *parsed;
  }

  // `csi`: the open <root>/plugins/kubernetes.io/csi, found at `base`.
  void staged(int csi, const std::string& base) {
    auto drivers = list_beneath(csi, ".");
    if (!drivers) return problem(drivers.error());
    for (const DirectoryEntry& driver : *drivers) {
      if (driver.type != DT_DIR || driver.name == "volumeDevices") continue;
      auto volumes = list_beneath(csi, driver.name);
      if (!volumes) {
        problem(volumes.error());
        continue;
      }
      for (const DirectoryEntry& entry : *volumes) {
        if (entry.type != DT_DIR) continue;
        const std::string name = driver.name + "/" + entry.name;
        const CsiVolumeData data =
            csi_data(csi, name + "/vol_data.json", base + "/" + name + "/vol_data.json");
        if (data.volume_handle.empty()) continue;
        tree.staged.push_back(
            {base + "/" + name + "/globalmount", data.driver, data.volume_handle});
      }
    }
  }

  std::string link_target(const std::string& path) {
    // O_PATH: the link itself is opened, never the device behind it.
    auto link = open_resolved(pods, path.substr(0, path.rfind('/')), O_PATH | O_DIRECTORY,
                              Resolve::kBeneathOneFilesystem);
    if (!link) return {};
    std::array<char, 4096> target{};
    const auto name = path.substr(path.rfind('/') + 1);
    const ssize_t n = ::readlinkat(link->get(), name.c_str(), target.data(), target.size());
    return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : std::string();
  }

  void volumes(const std::string& uid, const std::string& subdirectory, VolumeMode mode) {
    const std::string base = uid + "/" + subdirectory;
    auto plugins = list_beneath(pods, base);
    if (!plugins) return problem(plugins.error());
    for (const DirectoryEntry& plugin : *plugins) {
      if (plugin.type != DT_DIR && plugin.type != DT_UNKNOWN) continue;
      const std::string plugin_path = base + "/" + plugin.name;
      auto entries = list_beneath(pods, plugin_path);
      if (!entries) {
        problem(entries.error());
        continue;
      }
      for (const DirectoryEntry& entry : *entries) {
        volume(uid, plugin.name, plugin_path + "/" + entry.name, entry, mode);
      }
    }
  }

  void volume(const std::string& uid, const std::string& plugin, const std::string& path,
              const DirectoryEntry& entry, VolumeMode mode) {
    PodVolumeDir found;
    found.pod_uid = uid;
    found.plugin = plugin_of(plugin);
    found.name = entry.name;
    found.mode = mode;
    found.path = pods_path + "/" + path;
    const bool block = mode == VolumeMode::kBlock;
    // A volume is a directory, a block volume a symlink; anything else isn't the kubelet's work.
    const unsigned char wanted = block ? DT_LNK : DT_DIR;
    if (entry.type != wanted && entry.type != DT_UNKNOWN) {
      return problem({found.path + " is not a " + (block ? "symlink" : "directory"), 0});
    }
    if (block) {
      found.link_target = link_target(path);
    } else if (found.plugin == "csi") {
      const std::string name = path + "/vol_data.json";
      found.csi = csi_data(pods, name, pods_path + "/" + name);
      found.path += "/mount";
    }
    tree.volumes.push_back(std::move(found));
  }
};

std::string host_path_of(const UniqueFd& fd, const HostPaths& host, const std::string& fallback) {
  std::array<char, 4096> buffer{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  const ssize_t n = ::readlink(link.c_str(), buffer.data(), buffer.size());
  if (n <= 0) return fallback;
  std::string path(buffer.data(), static_cast<std::size_t>(n));
  if (host.rootfs != "/" && path.starts_with(host.rootfs + "/")) path.erase(0, host.rootfs.size());
  return path;
}

}  // namespace

Result<CsiVolumeData> parse_vol_data(const std::string& json) {
  const auto data = nlohmann::json::parse(json, nullptr, false);
  if (!data.is_object()) return Error{"vol_data.json is not a JSON object"};
  const auto text = [&](const char* key) {
    const auto it = data.find(key);
    return it != data.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  return CsiVolumeData{text("driverName"), text("volumeHandle"), text("specVolID"),
                       text("volumeLifecycleMode") == "Ephemeral"};
}

Result<KubeletTree> KubeletScanner::scan(const HostPaths& host, const std::string& root) {
  const UniqueFd rootfs(::open(host.rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!rootfs) return Error::from_errno("open " + host.rootfs, errno);
  auto pods = open_resolved(rootfs.get(), root + "/pods", O_RDONLY | O_DIRECTORY, Resolve::kInRoot);
  if (!pods) return pods.error();

  struct stat st {};
  pods_modified_.reset();
  // Times have the granularity of a clock tick: two changes within one look like one.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (::fstat(pods->get(), &st) == 0 && st.st_mtim.tv_sec + 1 < now.tv_sec) {
    pods_modified_ = st.st_mtim;
  }
  Scan scan{pods->get(), host_path_of(*pods, host, root + "/pods"), {}, vol_data_, {}};
  scan.tree.root = scan.pods_path.substr(0, scan.pods_path.rfind('/'));
  auto uids = list_beneath(pods->get(), ".");
  if (!uids) return uids.error();
  for (const DirectoryEntry& uid : *uids) {
    if (uid.type != DT_DIR && uid.type != DT_UNKNOWN) continue;
    scan.tree.pod_uids.push_back(uid.name);
    scan.volumes(uid.name, "volumes", VolumeMode::kFilesystem);
    scan.volumes(uid.name, "volumeDevices", VolumeMode::kBlock);
  }
  const std::string csi_path = scan.tree.root + "/plugins/kubernetes.io/csi";
  auto csi = open_resolved(rootfs.get(), csi_path, O_RDONLY | O_DIRECTORY, Resolve::kInRoot);
  if (csi) scan.staged(csi->get(), csi_path);
  vol_data_ = std::move(scan.vol_data);
  return std::move(scan.tree);
}

bool KubeletScanner::pods_changed(const HostPaths& host, const std::string& root) const {
  struct stat st {};
  const std::string pods = under_rootfs(host, root + "/pods");
  return !pods_modified_ || ::stat(pods.c_str(), &st) != 0 ||
         st.st_mtim.tv_sec != pods_modified_->tv_sec ||
         st.st_mtim.tv_nsec != pods_modified_->tv_nsec;
}

Result<PodLogNames> scan_pod_logs(const HostPaths& host) {
  const UniqueFd rootfs(::open(host.rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!rootfs) return Error::from_errno("open " + host.rootfs, errno);
  auto directory =
      open_resolved(rootfs.get(), "/var/log/pods", O_RDONLY | O_DIRECTORY, Resolve::kInRoot);
  if (!directory) return directory.error();
  PodLogNames names;
  auto listed = list_directory(std::move(directory).value(), [&](const DirectoryEntry& entry) {
    // Neither namespaces nor names nor uids contain '_' (RFC 1123 labels and UUIDs).
    const auto first = entry.name.find('_');
    const auto last = entry.name.rfind('_');
    if (first == std::string::npos || first == last) return;
    names[entry.name.substr(last + 1)] = {entry.name.substr(0, first),
                                          entry.name.substr(first + 1, last - first - 1)};
  });
  if (!listed) return listed.error();
  return names;
}

}  // namespace volumeter
