#include "support/recorded_node.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kube/parse.h"
#include "measure/usage/usage.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

fs::path fixture_path(const std::string& name) {
  return fs::path(SOURCE_DIR) / "tests/fixtures" / name;
}

// Lines of "type [mode] size path -> link".
void lay_out(const std::string& listing, const fs::path& root) {
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string type;
    std::string path;
    fields >> type;
    while (fields >> path && !path.starts_with('/')) {
    }
    if (!path.starts_with('/')) continue;
    const auto arrow = line.find(" -> ");
    const fs::path here = root / path.substr(1);
    fs::create_directories(here.parent_path());
    if (type == "d") {
      fs::create_directories(here);
    } else if (type == "l") {
      fs::create_symlink(line.substr(arrow + 4), here);
    } else {
      std::ofstream(here).flush();
    }
  }
}

// What a walk of each directory would have found: the listing's sizes in whole blocks. Absent for
// paths that nobody listed.
class RecordedWalks {
 public:
  explicit RecordedWalks(const std::string& listing) {
    std::istringstream lines(listing);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string type;
      std::string field;
      std::uint64_t size = 0;
      fields >> type;
      while (fields >> field && !field.starts_with('/'))
        size = std::strtoull(field.c_str(), {}, 10);
      constexpr std::uint64_t kBlock = 4096;
      if (field.ends_with("/sparse")) size = 1;  // a hole, and one byte at its end
      if (!field.empty()) sizes_[field] = type == "l" ? 0 : (size + kBlock - 1) / kBlock * kBlock;
    }
  }

  [[nodiscard]] TreeUse walk(const std::string& path, WallTime now) const {
    TreeUse use;
    if (!sizes_.contains(path)) return use;
    use.method = UsageMethod::kWalk;
    use.measured_at = now;
    for (auto it = sizes_.lower_bound(path); it != sizes_.end(); ++it) {
      if (!it->first.starts_with(path)) break;
      if (it->first != path && it->first[path.size()] != '/') continue;
      use.bytes += it->second;
      ++use.entries;
    }
    use.inodes = use.entries;
    return use;
  }

 private:
  std::map<std::string, std::uint64_t> sizes_;
};

// "== path" and then that file's content.
void write_vol_data(const std::string& listing, const fs::path& root) {
  std::istringstream lines(listing);
  fs::path path;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("== ")) path = root / line.substr(4);
    if (line.starts_with("{")) std::ofstream(path) << line;
  }
}

// Lines of "loop3 <backing file> ro=0 size=98304 dev=7:3".
void add_backing_files(BlockDevices& devices) {
  std::istringstream lines(read_fixture("recorded-node/sysblock-loop.txt"));
  for (std::string name, file, rest; lines >> name >> file && std::getline(lines, rest);) {
    for (auto& [number, device] : devices.by_number) {
      if (device.name != name) continue;
      device.backing_file = file;
      device.tier = Tier::kLoop;
    }
  }
}

Metadata read_metadata() {
  Metadata metadata;
  const auto items = [](const char* file) {
    return nlohmann::json::parse(read_fixture(std::string("recorded-node/") + file))["items"];
  };
  const auto pods = parse_pod_list(read_fixture("recorded-node/pods-node1.json"));
  for (const PodMetadata& pod : pods.value().pods) metadata.pods[pod.pod.uid] = pod;
  for (const auto& item : items("pvc-list.json")) {
    const auto claim = parse_claim(item.dump()).value();
    metadata.claims[{claim.claim.namespace_, claim.claim.name}] = claim;
  }
  for (const auto& item : items("pv-list.json")) {
    const auto volume = parse_persistent_volume(item.dump()).value();
    metadata.persistent_volumes[volume.name] = volume;
  }
  for (const auto& item : items("sc-list.json")) {
    const auto storage_class = parse_storage_class(item.dump()).value();
    metadata.storage_classes[storage_class.name] = storage_class;
  }
  return metadata;
}

std::map<std::string, StatfsPayload> read_statfs() {
  std::map<std::string, StatfsPayload> by_path;
  std::istringstream lines(read_fixture("recorded-node/statfs.txt"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string path;
    std::uint64_t used = 0;
    std::uint64_t inodes_used = 0;
    StatfsPayload statfs;
    statfs.fragment_size = 1024;
    if (!(fields >> path >> statfs.blocks >> used >> statfs.blocks_available >> statfs.files >>
          inodes_used)) {
      continue;
    }
    statfs.blocks_free = statfs.blocks - used;
    statfs.files_free = statfs.files - inodes_used;
    by_path[path] = statfs;
  }
  return by_path;
}

}  // namespace

std::string read_fixture(const std::string& name) { return slurp(fixture_path(name)); }

std::string diff_golden(const std::string& name, const std::string& actual) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(fixture_path(name), std::ios::binary) << actual;
    return {};
  }
  const std::string expected = read_fixture(name);
  if (expected == actual) return {};
  std::istringstream a(expected);
  std::istringstream b(actual);
  std::string diff;
  for (int line = 1; a || b; ++line) {
    std::string x;
    std::string y;
    std::getline(a, x);
    std::getline(b, y);
    if (x != y) {
      diff += name + ":" + std::to_string(line) + "\n- " + x + "\n+ " + y + "\n";
      if (diff.size() > 4000) break;
    }
  }
  return diff;
}

RecordedNode::RecordedNode() {
  std::string pattern = (fs::temp_directory_path() / "volumeter-recorded-XXXXXX").string();
  directory_ = ::mkdtemp(pattern.data());
  lay_out(read_fixture("recorded-node/kubelet-tree.txt"), directory_);
  lay_out(read_fixture("recorded-node/varlog.txt"), directory_);
  write_vol_data(read_fixture("recorded-node/vol_data.txt"), directory_);
  const fs::path proc = fs::path(directory_) / "proc/1";
  fs::create_directories(proc);
  fs::copy_file(fixture_path("recorded-node/mountinfo-host.txt"), proc / "mountinfo");
}

RecordedNode::~RecordedNode() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

HostPaths RecordedNode::host() const {
  HostPaths host;
  host.rootfs = directory_;
  host.procfs = directory_ + "/proc";
  host.sysfs = directory_ + "/sys";  // this machine's disks have nothing to do with it
  return host;
}

InventoryInput RecordedNode::input() const {
  InventoryInput input;
  input.mounts = parse_mountinfo(read_mountinfo(host()).value()).table;
  KubeletScanner scanner;
  input.kubelet = scanner.scan(host(), "/var/lib/kubelet").value();
  input.pod_logs = scan_pod_logs(host()).value();
  input.metadata = read_metadata();
  input.pods_listed = true;
  input.devices.by_number = parse_partitions(read_fixture("recorded-node/partitions.txt"));
  add_backing_files(input.devices);
  return input;
}

SnapshotInput RecordedNode::measured(std::shared_ptr<const Inventory> inventory,
                                     const Measurers& measurers, WallTime now) {
  const auto statfs = read_statfs();
  SnapshotInput input;
  input.inventory = std::move(inventory);
  input.now = now;
  for (const auto& measurer : measurers) {
    auto& states = input.states.emplace_back();
    if (dynamic_cast<const SampledMeasurer*>(measurer.get()) == nullptr) continue;
    for (const Target& target : input.inventory->targets) {
      auto& state = states_.emplace_back(std::make_unique<TargetState>());
      if (const auto it = statfs.find(target.path); it != statfs.end()) {
        state->answer.emplace().store(it->second);
        state->answered_at = now;
        state->responsive = true;
      }
      states.push_back(state.get());
    }
  }
  const RecordedWalks walks(read_fixture("recorded-node/kubelet-tree.txt"));
  for (const Target& target : input.inventory->targets) {
    const std::string path =
        (target.path == "/" ? "" : target.path) + (target.below.empty() ? "" : "/" + target.below);
    input.trees.push_back(target.walk ? walks.walk(path, now) : TreeUse{});
  }
  return input;
}

}  // namespace volumeter::test
