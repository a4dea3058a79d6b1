#include "support/generated_node.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "kube/parse.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRootDevice = "259:1";

std::string id(const char* prefix, int n) { return prefix + std::to_string(n); }

// As the kernel escapes them (fs/proc_namespace.c, mangle()).
std::string escaped(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c == ' ') {
      out += "\\040";
    } else if (c == '\n') {
      out += "\\012";
    } else if (c == '\\') {
      out += "\\134";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string to_string(const Expected& e) {
  return e.uid + "/" + e.name + " " + e.kind + " " + e.mode + " claim=" + e.claim +
         " pv=" + e.persistent_volume + " requested=" + std::to_string(e.requested) +
         (e.mounted ? " mounted" : " not-mounted") + (e.shares ? " shares" : "") +
         " target=" + e.target + " device=" + e.device;
}

GeneratedNode::GeneratedNode(const Options& options) : options_(options), random_(options.seed) {
  std::string pattern = fs::temp_directory_path() / "volumeter-generated-XXXXXX";
  directory_ = ::mkdtemp(pattern.data());
  fs::create_directories(directory_ + "/proc/1");
  fs::create_directories(directory_ + "/rootfs" + options_.root + "/pods");
  fs::create_directories(directory_ + "/rootfs/var/log/pods");
  if (!options_.link.empty()) {
    const fs::path link = directory_ + "/rootfs" + options_.link;
    fs::create_directories(link.parent_path());
    fs::create_directory_symlink(options_.root, link);
  }
}

GeneratedNode::~GeneratedNode() { fs::remove_all(directory_); }

HostPaths GeneratedNode::host() const {
  return {directory_ + "/proc", "/sys", directory_ + "/rootfs", options_.link};
}

GeneratedNode::Disk GeneratedNode::new_disk() {
  const int n = next_++;
  disks_.push_back({"8:" + std::to_string(16 * n), id("sd", n)});
  return disks_.back();
}

std::string GeneratedNode::anonymous() { return "0:" + std::to_string(100 + next_++); }

std::string GeneratedNode::volume_dir(const std::string& uid, const std::string& plugin,
                                      const std::string& name) {
  const std::string path =
      options_.root + "/pods/" + uid + "/volumes/kubernetes.io~" + plugin + "/" + name;
  fs::create_directories(directory_ + "/rootfs" + path);
  return path;
}

void GeneratedNode::mount(PodState& pod, const std::string& number, const std::string& root,
                          const std::string& where, const std::string& fstype,
                          const std::string& source) {
  pod.mounts.push_back(number + " " + escaped(root) + " " + escaped(where) +
                       " rw,relatime shared:1 - " + fstype + " " + source + " rw");
}

void GeneratedNode::claim(PodState& pod, Expected& e, const std::string& source_json,
                          const std::string& mode) {
  const int n = next_++;
  const std::string name = id("claim-", n);
  e.claim = "shop/" + name;
  e.persistent_volume = id("pvc-", n);
  e.requested = (1U + static_cast<unsigned>(n) % 9) << 30U;
  const std::string size = std::to_string(e.requested >> 20U) + "Mi";
  claims_[e.claim] = R"({"metadata":{"namespace":"shop","name":")" + name +
                     R"("},"spec":{"volumeName":")" + e.persistent_volume + R"(","volumeMode":")" +
                     mode + R"(","resources":{"requests":{"storage":")" + size + "\"}}}}";
  volumes_[e.persistent_volume] = R"({"metadata":{"name":")" + e.persistent_volume +
                                  R"("},"spec":{"claimRef":{"namespace":"shop","name":")" + name +
                                  R"("},"volumeMode":")" + mode + "\"," + source_json + "}}";
  pod.volumes_json +=
      R"({"name":")" + e.name + R"(","persistentVolumeClaim":{"claimName":")" + name + "\"}},";
}

std::string GeneratedNode::csi_dir(const Expected& e) {
  const std::string path = volume_dir(e.uid, "csi", e.persistent_volume);
  fs::create_directories(directory_ + "/rootfs" + path + "/mount");
  std::ofstream(directory_ + "/rootfs" + path + "/vol_data.json")
      << R"({"driverName":"d","volumeHandle":"h","specVolID":")" << e.persistent_volume
      << R"(","volumeLifecycleMode":"Persistent"})";
  return path + "/mount";
}

constexpr const char* kCsiJson = R"("csi":{"driver":"d","volumeHandle":"h"})";

// A disk of its own, staged in the plugin's directory and mounted again below subPaths.
void GeneratedNode::csi_disk(PodState& pod, Expected e) {
  e.kind = "csi";
  claim(pod, e, kCsiJson);
  const Disk disk = new_disk();
  const std::string source = "/dev/" + disk.name;
  mount(pod, disk.number, "/",
        options_.root + "/plugins/kubernetes.io/csi/d/" + e.uid + "/globalmount", "ext4", source);
  mount(pod, disk.number, "/", csi_dir(e), "ext4", source);
  if (one_in(3)) {
    mount(pod, disk.number, "/data",
          options_.root + "/pods/" + e.uid + "/volume-subpaths/" + e.persistent_volume + "/main/0",
          "ext4", source);
  }
  e.target = disk.number + " /";
  e.device = disk.name;
  pod.expected.push_back(e);
}

void GeneratedNode::csi_directory(PodState& pod, Expected e) {
  e.kind = "csi";
  claim(pod, e, kCsiJson);
  const std::string root = "/csi data/" + e.persistent_volume;
  mount(pod, kRootDevice, root, csi_dir(e), "ext4", "/dev/nvme0n1p1");
  e.shares = true;
  e.target = std::string(kRootDevice) + " " + root;
  e.device = "nvme0n1p1";
  pod.expected.push_back(e);
}

void GeneratedNode::csi_subvolume(PodState& pod, Expected e) {
  e.kind = "csi";
  claim(pod, e, kCsiJson);
  const std::string root = "/@" + e.persistent_volume;
  mount(pod, "0:77", root, csi_dir(e), "btrfs", "/dev/sdbtrfs");
  e.shares = true;
  e.target = "0:77 " + root;
  e.device = "sdbtrfs";
  pod.expected.push_back(e);
}

void GeneratedNode::csi_block(PodState& pod, Expected e) {
  e.kind = "csi";
  e.mode = "Block";
  claim(pod, e, kCsiJson, "Block");
  const Disk disk = new_disk();
  const std::string publish = options_.root + "/plugins/kubernetes.io/csi/volumeDevices/publish/" +
                              e.persistent_volume + "/" + e.uid;
  mount(pod, "0:6", "/" + disk.name, publish, "devtmpfs", "udev");
  const fs::path link = directory_ + "/rootfs" + options_.root + "/pods/" + e.uid +
                        "/volumeDevices/kubernetes.io~csi/" + e.persistent_volume;
  fs::create_directories(link.parent_path());
  fs::create_symlink(publish, link);
  e.device = disk.name;
  pod.expected.push_back(e);
}

void GeneratedNode::csi_unmounted(PodState& pod, Expected e) {
  e.kind = "csi";
  claim(pod, e, kCsiJson);
  csi_dir(e);
  e.mounted = false;
  pod.expected.push_back(e);
}

void GeneratedNode::csi_inline(PodState& pod, Expected e) {
  e.kind = "csi";
  const std::string path = volume_dir(e.uid, "csi", e.name);
  fs::create_directories(directory_ + "/rootfs" + path + "/mount");
  std::ofstream(directory_ + "/rootfs" + path + "/vol_data.json")
      << R"({"driverName":"d","specVolID":")" << e.name
      << R"(","volumeLifecycleMode":"Ephemeral"})";
  const std::string number = anonymous();
  mount(pod, number, "/", path + "/mount", "tmpfs", "tmpfs");
  pod.volumes_json += R"({"name":")" + e.name + R"(","csi":{"driver":"d"}},)";
  e.target = number + " /";
  pod.expected.push_back(e);
}

void GeneratedNode::nfs(PodState& pod, Expected e) {
  e.kind = "nfs";
  claim(pod, e, R"("nfs":{"server":"10.0.0.9","path":"/e"})");
  const std::string number = anonymous();
  mount(pod, number, "/", volume_dir(e.uid, "nfs", e.persistent_volume), "nfs4", "10.0.0.9:/e");
  e.shares = true;
  e.target = number + " /";
  pod.expected.push_back(e);
}

void GeneratedNode::ceph(PodState& pod, Expected e) {
  e.kind = "csi";
  claim(pod, e, kCsiJson);
  const std::string number = anonymous();
  const bool fuse = one_in(2);
  mount(pod, number, "/", csi_dir(e), fuse ? "fuse.ceph-fuse" : "ceph",
        fuse ? "ceph-fuse" : "10.0.0.1:6789,10.0.0.2:6789:/volumes/csi/" + e.persistent_volume);
  e.shares = true;
  e.target = number + " /";
  pod.expected.push_back(e);
}

void GeneratedNode::local_disk(PodState& pod, Expected e) {
  e.kind = "local";
  claim(pod, e, R"("local":{"path":"/mnt/disk"})");
  const Disk disk = new_disk();
  const std::string where = volume_dir(e.uid, "local-volume", e.persistent_volume);
  const bool part = one_in(2);
  const std::string root = part ? "/vol" : "/";
  mount(pod, disk.number, "/", "/mnt/" + disk.name, "xfs", "/dev/" + disk.name);
  mount(pod, disk.number, root, where, "xfs", "/dev/" + disk.name);
  e.shares = part;
  e.target = disk.number + " " + root;
  e.device = disk.name;
  pod.expected.push_back(e);
}

void GeneratedNode::plain(PodState& pod, Expected e, const std::string& source_json) {
  pod.volumes_json += R"({"name":")" + e.name + "\"," + source_json + "},";
  e.shares = true;
  e.device = "nvme0n1p1";
  e.target = std::string(kRootDevice) + " " + e.target;
  pod.expected.push_back(e);
}

void GeneratedNode::empty_dir(PodState& pod, Expected e) {
  e.kind = "emptyDir";
  e.target = volume_dir(e.uid, "empty-dir", e.name);
  plain(pod, e, R"("emptyDir":{})");
}

void GeneratedNode::memory(PodState& pod, Expected e) {
  const bool secret = one_in(2);
  e.kind = secret ? "secret" : "emptyDir";
  const std::string number = anonymous();
  mount(pod, number, "/", volume_dir(e.uid, secret ? "secret" : "empty-dir", e.name), "tmpfs",
        "tmpfs");
  pod.volumes_json +=
      R"({"name":")" + e.name + (secret ? R"(","secret":{}},)" : R"(","emptyDir":{}},)");
  e.target = number + " /";
  pod.expected.push_back(e);
}

void GeneratedNode::config_map(PodState& pod, Expected e) {
  e.kind = "configMap";
  e.target = volume_dir(e.uid, "configmap", e.name);
  plain(pod, e, R"("configMap":{})");
}

void GeneratedNode::host_path(PodState& pod, Expected e) {
  e.kind = "hostPath";
  e.target = "/var/log";
  plain(pod, e, R"("hostPath":{"path":"/var/log"})");
}

std::string GeneratedNode::add_pod() {
  static constexpr std::array<Maker, 13> kMakers = {
      &GeneratedNode::csi_disk,  &GeneratedNode::csi_directory, &GeneratedNode::csi_subvolume,
      &GeneratedNode::csi_block, &GeneratedNode::csi_unmounted, &GeneratedNode::csi_inline,
      &GeneratedNode::nfs,       &GeneratedNode::ceph,          &GeneratedNode::local_disk,
      &GeneratedNode::empty_dir, &GeneratedNode::memory,        &GeneratedNode::config_map,
      &GeneratedNode::host_path};
  const std::string uid = id("uid-", next_++);
  PodState pod;
  pod.name = id("pod-", next_++);
  fs::create_directories(directory_ + "/rootfs" + options_.root + "/pods/" + uid + "/volumes");
  fs::create_directories(directory_ + "/rootfs/var/log/pods/shop_" + pod.name + "_" + uid);
  const int volumes = std::uniform_int_distribution(1, 5)(random_);
  for (int i = 0; i < volumes; ++i) {
    Expected e;
    e.uid = uid;
    e.name = id("vol-", i);
    const auto which = std::uniform_int_distribution<std::size_t>(0, kMakers.size() - 1)(random_);
    (this->*kMakers[which])(pod, e);
  }
  if (!pod.volumes_json.empty()) pod.volumes_json.pop_back();
  pods_[uid] = std::move(pod);
  return uid;
}

void GeneratedNode::add_pods_until_claims(std::size_t claims) {
  while (claims_.size() < claims) add_pod();
}

void GeneratedNode::remove_pod(const std::string& uid) {
  const PodState& pod = pods_.at(uid);
  for (const Expected& e : pod.expected) {
    claims_.erase(e.claim);
    volumes_.erase(e.persistent_volume);
  }
  fs::remove_all(directory_ + "/rootfs" + options_.root + "/pods/" + uid);
  fs::remove_all(directory_ + "/rootfs/var/log/pods/shop_" + pod.name + "_" + uid);
  pods_.erase(uid);
}

std::vector<std::string> GeneratedNode::pods() const {
  std::vector<std::string> uids;
  for (const auto& [uid, pod] : pods_) uids.push_back(uid);
  return uids;
}

void GeneratedNode::write_tables() const {
  std::vector<std::string> lines = {
      std::string(kRootDevice) + " / / rw - ext4 /dev/nvme0n1p1 rw",
      "0:20 / /proc rw - proc proc rw",
      "0:6 / /dev rw - devtmpfs udev rw",
      "0:21 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
  };
  std::vector<std::string> more;
  for (int i = 0; i < options_.noise_mounts; ++i) {
    const std::string n = std::to_string(i);
    const std::array<std::string, 3> kinds = {
        "0:" + std::to_string(100000 + i) +
            " / /run/containerd/io.containerd.runtime.v2.task/k8s/" + n +
            "/rootfs rw - overlay overlay rw,upperdir=/var/lib/containerd/s/" + n + "/fs",
        "0:" + std::to_string(200000 + i) + " / /run/containerd/sandboxes/" + n +
            "/shm rw - tmpfs shm rw",
        "0:4 net:[" + n + "] /run/netns/cni-" + n + " rw - nsfs nsfs rw"};
    more.push_back(kinds[static_cast<std::size_t>(i) % kinds.size()]);
  }
  for (const auto& [uid, pod] : pods_)
    more.insert(more.end(), pod.mounts.begin(), pod.mounts.end());
  std::mt19937 order(options_.seed);
  std::shuffle(more.begin(), more.end(), order);
  lines.insert(lines.end(), more.begin(), more.end());
  const std::string path = directory_ + "/proc/1/mountinfo";
  {
    std::ofstream out(path + ".new");
    for (std::size_t i = 0; i < lines.size(); ++i) out << i + 20 << " 20 " << lines[i] << "\n";
  }
  fs::rename(path + ".new", path);
  std::ofstream partitions(directory_ + "/proc/partitions");
  partitions << "major minor  #blocks  name\n\n 259        1   41943040 nvme0n1p1\n";
  for (const Disk& disk : disks_) {
    std::string number = disk.number;
    number.replace(number.find(':'), 1, " ");
    partitions << " " << number << " 1048576 " << disk.name << "\n";
  }
}

Metadata GeneratedNode::metadata() const {
  Metadata metadata;
  for (const auto& [uid, pod] : pods_) {
    const std::string json = R"({"items":[{"metadata":{"namespace":"shop","name":")" + pod.name +
                             R"(","uid":")" + uid + R"("},"spec":{"volumes":[)" + pod.volumes_json +
                             R"(]},"status":{"phase":"Running"}}]})";
    metadata.pods[uid] = parse_pod_list(json).value().pods.at(0);
  }
  for (const auto& [key, json] : claims_) {
    ClaimMetadata parsed = parse_claim(json).value();
    metadata.claims[{parsed.claim.namespace_, parsed.claim.name}] = parsed;
  }
  for (const auto& [name, json] : volumes_) {
    metadata.persistent_volumes[name] = parse_persistent_volume(json).value();
  }
  return metadata;
}

std::vector<Expected> GeneratedNode::expected() const {
  std::vector<Expected> all;
  for (const auto& [uid, pod] : pods_) {
    all.insert(all.end(), pod.expected.begin(), pod.expected.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace volumeter::test
