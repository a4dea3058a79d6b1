// A node that nobody recorded: made at random from a seed, on a kubelet root of some distribution,
// with what an inventory should say about it. Its directories are real, its mount table and
// /proc/partitions are files, and its API objects JSON.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "host/host.h"
#include "inventory/inventory_builder.h"

namespace volumeter::test {

// One volume as an inventory should show it.
struct Expected {
  std::string uid;
  std::string name;
  std::string kind;
  std::string mode = "Filesystem";
  std::string claim;  // "namespace/name"; empty: none
  std::string persistent_volume;
  std::uint64_t requested = 0;
  bool mounted = true;
  bool shares = false;
  std::string target;  // "major:minor root"; empty: its path isn't measured
  std::string device;

  auto operator<=>(const Expected&) const = default;
};
std::string to_string(const Expected& expected);

class GeneratedNode {
 public:
  struct Options {
    std::uint32_t seed = 1;
    std::string root = "/var/lib/kubelet";  // where the mount table shows it
    std::string link;                       // a symlink to it; the agent is told this one
    int noise_mounts = 50;                  // of containers, namespaces, the system
  };
  explicit GeneratedNode(const Options& options);
  ~GeneratedNode();
  GeneratedNode(const GeneratedNode&) = delete;
  GeneratedNode& operator=(const GeneratedNode&) = delete;

  // A pod with one to five volumes of any kind; its uid.
  std::string add_pod();
  void add_pods_until_claims(std::size_t claims);
  void remove_pod(const std::string& uid);
  [[nodiscard]] std::vector<std::string> pods() const;

  // Writes the mount table and /proc/partitions.
  void write_tables() const;
  // To look at the node as the agent does.
  [[nodiscard]] HostPaths host() const;
  // What the API server says, parsed from JSON.
  [[nodiscard]] Metadata metadata() const;

  [[nodiscard]] std::vector<Expected> expected() const;  // sorted
  [[nodiscard]] std::size_t claims() const { return claims_.size(); }

 private:
  struct Disk {
    std::string number;  // "8:16"
    std::string name;    // "sdb"
  };
  struct PodState {
    std::string name;
    std::string volumes_json;
    std::vector<std::string> mounts;  // lines of the mount table
    std::vector<Expected> expected;
  };
  using Maker = void (GeneratedNode::*)(PodState&, Expected);

  bool one_in(int n) { return std::uniform_int_distribution(0, n - 1)(random_) == 0; }
  Disk new_disk();
  std::string anonymous();
  std::string volume_dir(const std::string& uid, const std::string& plugin,
                         const std::string& name);
  void mount(PodState& pod, const std::string& number, const std::string& root,
             const std::string& where, const std::string& fstype, const std::string& source);
  void claim(PodState& pod, Expected& expected, const std::string& kind_json,
             const std::string& mode = "Filesystem");
  std::string csi_dir(const Expected& expected);

  void csi_disk(PodState& pod, Expected expected);
  void csi_directory(PodState& pod, Expected expected);
  void csi_subvolume(PodState& pod, Expected expected);
  void csi_block(PodState& pod, Expected expected);
  void csi_unmounted(PodState& pod, Expected expected);
  void csi_inline(PodState& pod, Expected expected);
  void nfs(PodState& pod, Expected expected);
  void ceph(PodState& pod, Expected expected);
  void local_disk(PodState& pod, Expected expected);
  // Without a mount of its own: on the node's disk.
  static void plain(PodState& pod, Expected expected, const std::string& source_json);
  void empty_dir(PodState& pod, Expected expected);
  void memory(PodState& pod, Expected expected);
  void config_map(PodState& pod, Expected expected);
  void host_path(PodState& pod, Expected expected);

  const Options options_;
  std::mt19937 random_;
  std::string directory_;
  int next_ = 0;
  std::vector<Disk> disks_;
  std::map<std::string, PodState> pods_;        // by uid
  std::map<std::string, std::string> claims_;   // JSON by "namespace/name"
  std::map<std::string, std::string> volumes_;  // PersistentVolumes' JSON by name
};

}  // namespace volumeter::test
