// A kubelet's directory whose names are the input, really made, scanned, joined with a mount table
// that has the same names, and written out as metrics. Each line is one volume: its first byte
// chooses plugin and kind of entry, the rest is its name.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "collect/inventory_metrics.h"
#include "exposition/text.h"
#include "inventory/inventory_builder.h"

namespace {

namespace fs = std::filesystem;
using namespace volumeter;

constexpr std::size_t kMostVolumes = 12;
constexpr std::array kPlugins = {"csi", "local-volume", "empty-dir", "nfs", "secret", "unheard-of"};

class Scratch {
 public:
  Scratch() {
    const bool memory = fs::exists("/dev/shm");
    std::string pattern = std::string(memory ? "/dev/shm" : "/tmp") + "/fuzz-tree-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Scratch() { fs::remove_all(path); }
  void clear() const { fs::remove_all(path + "/pods"); }
  std::string path;
};

void make(const std::string& pods, std::string_view line) {
  const auto choice = static_cast<unsigned char>(line[0]);
  const std::string name(line.substr(1));
  if (name.empty() || name == "." || name == ".." || name.size() > 200 ||
      name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
    return;
  }
  const bool block = (choice & 64U) != 0;
  const std::string parent = pods + "/uid/" + (block ? "volumeDevices" : "volumes") +
                             "/kubernetes.io~" + kPlugins.at(choice % kPlugins.size());
  ::mkdir((pods + "/uid").c_str(), 0700);
  ::mkdir((pods + "/uid/" + (block ? "volumeDevices" : "volumes")).c_str(), 0700);
  ::mkdir(parent.c_str(), 0700);
  const std::string path = parent + "/" + name;
  if ((choice & 128U) != 0 || block) {
    [[maybe_unused]] const int made = ::symlink(("/dev/" + name).c_str(), path.c_str());
  } else {
    ::mkdir(path.c_str(), 0700);
  }
}

InventoryInput scan(const std::string& root) {
  InventoryInput input;
  HostPaths host;
  KubeletScanner scanner;
  auto tree = scanner.scan(host, root);
  if (!tree) __builtin_trap();
  input.kubelet = *tree;
  input.mounts.push_back({1, 0, {8, 1}, "/", "/", "ext4", "/dev/sda1", "", false, false});
  unsigned minor = 1;
  for (const PodVolumeDir& dir : input.kubelet.volumes) {
    ++minor;
    if (minor % 3 != 0) {
      input.mounts.push_back({2,
                              1,
                              {0, minor},
                              "/" + dir.name,
                              dir.path,
                              "fuse." + dir.name,
                              dir.name,
                              "",
                              false,
                              false});
    }
  }
  return input;
}

void check(const Inventory& inventory) {
  std::set<std::vector<std::string>> labels;
  for (const Subject& subject : inventory.subjects) {
    if (!labels.insert(*subject.labels).second) __builtin_trap();
  }
  MeasurementSet metrics;
  add_inventory_metrics(inventory, metrics);
  for (const Family& family : metrics.families()) {
    std::size_t lines = 0;
    for (const char c : serialize(family)) {
      lines += c == '\n' ? 1 : 0;
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n') __builtin_trap();
    }
    if (lines != family.series.size() + 2) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Scratch scratch;
  scratch.clear();
  const std::string pods = scratch.path + "/pods";
  ::mkdir(pods.c_str(), 0700);
  // Lines end with a byte that no test needs in a name, so that names may hold newlines.
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (std::size_t i = 0; i < kMostVolumes && !rest.empty(); ++i) {
    const auto end = rest.find('|');
    if (const auto line = rest.substr(0, end); !line.empty()) make(pods, line);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  check(*build_inventory(scan(scratch.path)));
  return 0;
}
