#include "host/block_devices.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <functional>
#include <set>
#include <sstream>
#include <utility>

#include "host/device_tier.h"

namespace volumeter {
namespace {

// A stack can be changed in place (dm's tables, md's members).
constexpr auto kDescribeAgain = std::chrono::minutes(5);

std::string sysfs_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '!');
  return name;
}

std::uint64_t to_number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The driver keeps the device, and its counters, from one disk to the next.
bool outlives_its_disks(const std::string& name) {
  return name.starts_with("loop") || name.starts_with("nbd");
}

// "mq-deadline" of "none [mq-deadline] kyber".
std::string chosen(const std::string& choices) {
  const auto begin = choices.find('[');
  const auto end = choices.find(']');
  return begin < end && end != std::string::npos ? choices.substr(begin + 1, end - begin - 1)
                                                 : choices;
}

// cryptsetup writes what a mapping is at the start of its uuid (lib/utils_dm.h): "CRYPT-LUKS2-...";
// verity and integrity carry the prefix too, and hide nothing.
std::string encryption_of(const std::string& mapper_uuid) {
  constexpr std::string_view kPrefix = "CRYPT-";
  if (!mapper_uuid.starts_with(kPrefix)) return {};
  std::string kind = mapper_uuid.substr(kPrefix.size());
  kind.resize(std::min(kind.find('-'), kind.size()));
  if (kind == "VERITY" || kind == "INTEGRITY" || kind == "SUBDEV") return {};
  std::transform(kind.begin(), kind.end(), kind.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return kind;
}

// A stack is as fast, and as secret, as all that it is made of agree on.
class Stacks {
 public:
  explicit Stacks(std::map<DeviceNumber, BlockDevice>& devices) {
    for (auto& [number, device] : devices) by_name_[device.name] = &device;
  }

  void resolve() {
    for (auto& [name, device] : by_name_) resolve(*device);
  }

 private:
  void resolve(BlockDevice& device) {
    if (!done_.insert(device.name).second) return;
    std::vector<std::string> below = device.below;
    if (!device.disk.empty()) below.push_back(device.disk);
    std::set<Tier> tiers;
    std::set<std::string> encryption;
    for (const std::string& name : below) {
      const auto it = by_name_.find(name);
      if (it == by_name_.end()) return;
      resolve(*it->second);
      tiers.insert(it->second->tier);
      encryption.insert(it->second->encryption);
    }
    if (tiers.size() == 1) device.tier = *tiers.begin();
    if (device.encryption.empty() && encryption.size() == 1)
      device.encryption = *encryption.begin();
  }

  std::map<std::string, BlockDevice*> by_name_;
  std::set<std::string> done_;
};

}  // namespace

std::string_view next_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return line = {};
  const auto end = std::min(line.find_first_of(" \t\n", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::map<DeviceNumber, BlockDevice> parse_partitions(std::string_view text) {
  std::map<DeviceNumber, BlockDevice> devices;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    BlockDevice device;
    std::uint64_t kibibytes = 0;
    if (!(fields >> device.number.major >> device.number.minor >> kibibytes >> device.name)) {
      continue;
    }
    device.size_bytes = kibibytes * 1024;
    devices[device.number] = device;
  }
  return devices;
}

DiskCounters parse_disk_counters(std::string_view columns) {
  DiskCounters counters;
  for (std::string_view word = next_word(columns);
       !word.empty() && counters.count < counters.values.size(); word = next_word(columns)) {
    std::uint64_t& value = counters.values[counters.count];
    if (std::from_chars(word.data(), word.data() + word.size(), value).ec != std::errc()) break;
    ++counters.count;
  }
  return counters;
}

std::string BlockDeviceReader::attribute(const std::string& device, const std::string& name) const {
  auto text = read_file(host_.sysfs + "/class/block/" + sysfs_name(device) + "/" + name, 4096);
  if (!text) return {};
  while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
  return std::move(text).value();
}

std::vector<std::vector<std::string>> BlockDeviceReader::read_btrfs() const {
  std::vector<std::vector<std::string>> all;
  const std::string root = host_.sysfs + "/fs/btrfs/";
  for (const std::string& id : names_in(root)) {
    std::vector<std::string> devices = names_in(root + id + "/devices");
    if (!devices.empty()) all.push_back(std::move(devices));
  }
  return all;
}

std::uint64_t BlockDeviceReader::sequence_of(const BlockDevice& device) const {
  const std::string sequence = attribute(device.name, "diskseq");
  if (!sequence.empty() || !device.name.starts_with("loop")) return to_number(sequence);
  // Before Linux 5.15 a loop device is another disk when it has another file.
  return std::hash<std::string>{}(attribute(device.name, "loop/backing_file"));
}

void BlockDeviceReader::describe_stack(BlockDevice& device) const {
  device.below = names_in(host_.sysfs + "/class/block/" + sysfs_name(device.name) + "/slaves");
  for (std::string& name : device.below) std::replace(name.begin(), name.end(), '!', '/');
}

// Once for each disk: while somebody changes the scheduler of one that is dead, its queue's
// attributes can't be read (block/blk-sysfs.c holds a lock).
void BlockDeviceReader::describe_disk(BlockDevice& device) const {
  describe_stack(device);
  device.mapper_name = attribute(device.name, "dm/name");
  device.encryption = encryption_of(attribute(device.name, "dm/uuid"));
  device.backing_file = attribute(device.name, "loop/backing_file");
  device.autoclear = attribute(device.name, "loop/autoclear") == "1";
  device.model = attribute(device.name, "device/model");
  device.scheduler = chosen(attribute(device.name, "queue/scheduler"));
  const std::string rotational = attribute(device.name, "queue/rotational");
  if (!rotational.empty()) device.rotational = rotational == "1";
  device.accounts = attribute(device.name, "queue/iostats") != "0";
  const std::string here = host_.sysfs + "/class/block/" + sysfs_name(device.name);
  const std::vector<std::string> entries = names_in(here);
  device.bio_based = !entries.empty() && !std::binary_search(entries.begin(), entries.end(), "mq");
  DeviceFacts facts;
  facts.name = device.name;
  facts.rotational = device.rotational;
  facts.model = device.model;
  facts.vendor = attribute(device.name, "device/vendor");
  std::array<char, PATH_MAX> path{};
  if (::readlink(here.c_str(), path.data(), path.size() - 1) > 0) facts.path = path.data();
  facts.transports.push_back(attribute(device.name, "device/transport"));
  for (const std::string& name : names_in(here + "/device")) {  // an nvme subsystem's controllers
    if (name.starts_with("nvme")) {
      facts.transports.push_back(attribute(device.name, "device/" + name + "/transport"));
    }
  }
  if (device.below.empty()) device.tier = tier_of(facts);
}

// A partition's attributes are its disk's.
void BlockDeviceReader::describe(BlockDevice& device) const {
  if (attribute(device.name, "partition").empty()) return describe_disk(device);
  std::array<char, PATH_MAX> link{};
  const std::string here = host_.sysfs + "/class/block/" + sysfs_name(device.name);
  if (::readlink(here.c_str(), link.data(), link.size() - 1) <= 0) return;
  std::string path = link.data();
  path.resize(std::min(path.rfind('/'), path.size()));
  device.disk = path.substr(path.rfind('/') + 1);
  std::replace(device.disk.begin(), device.disk.end(), '!', '/');
  BlockDevice disk;
  disk.name = device.disk;
  describe_disk(disk);
  device.model = disk.model;
  device.rotational = disk.rotational;
  device.scheduler = disk.scheduler;
  device.bio_based = disk.bio_based;
  device.accounts = disk.accounts;
  device.sequence = sequence_of(disk);
}

std::vector<std::string> parse_swaps(std::string_view text) {
  constexpr std::string_view kDevices = "/dev/";
  std::vector<std::string> all;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    const std::string_view name = next_word(line);
    if (name.starts_with(kDevices)) all.emplace_back(name.substr(kDevices.size()));
  }
  return all;
}

// What was read of a device before, as long as it is the same disk.
bool BlockDeviceReader::recall(BlockDevice& device,
                               const std::map<DeviceNumber, std::uint64_t>& sequences) const {
  const auto before = known_.by_number.find(device.number);
  if (before == known_.by_number.end() || before->second.name != device.name) return false;
  const BlockDevice& known = before->second;
  std::uint64_t sequence = device.sequence;
  for (const auto& [number, other] : known_.by_number) {  // a partition's number is its disk's
    if (known.disk.empty() || other.name != known.disk) continue;
    const auto now = sequences.find(number);
    sequence = now == sequences.end() ? 0 : now->second;
  }
  if (known.sequence != sequence) return false;
  const std::uint64_t size = device.size_bytes;
  device = known;
  device.size_bytes = size;
  return true;
}

Result<BlockDevices> BlockDeviceReader::read() {
  auto text = read_file(host_.procfs + "/partitions");
  if (!text) return text.error();
  BlockDevices fresh;
  fresh.by_number = parse_partitions(*text);
  std::map<DeviceNumber, std::uint64_t> sequences;
  for (auto& [number, device] : fresh.by_number) {
    device.sequence = sequences[number] = sequence_of(device);
  }
  fresh.btrfs = read_btrfs();
  if (const auto swaps = read_file(host_.procfs + "/swaps")) fresh.swaps = parse_swaps(*swaps);
  const auto now = std::chrono::steady_clock::now();
  const bool again = now - described_ >= kDescribeAgain;
  if (*text == partitions_ && sequences == sequences_ && !again) {
    known_.btrfs = std::move(fresh.btrfs);
    known_.swaps = std::move(fresh.swaps);
    return known_;
  }
  for (auto& [number, device] : fresh.by_number) {
    BlockDevice known = device;
    const bool same = recall(known, sequences);
    if (same) {
      device = std::move(known);
      if (again) describe_stack(device);
      continue;
    }
    describe(device);
    if (outlives_its_disks(device.name)) {
      device.counted_before = parse_disk_counters(attribute(device.name, "stat"));
    }
  }
  Stacks(fresh.by_number).resolve();
  known_ = std::move(fresh);
  partitions_ = std::move(text).value();
  sequences_ = std::move(sequences);
  if (again) described_ = now;
  return known_;
}

}  // namespace volumeter
