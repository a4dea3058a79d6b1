#include "collect/probe_plan.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "mounts/filesystem_kinds.h"
#include "volumeter/duration.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
constexpr auto kShortest = 1s;
constexpr auto kLongest = 24h;

// Of several pods' wishes for one volume the most careful counts.
constexpr std::array<std::string_view, 4> kMostCarefulFirst = {"off", "read-only", "named-file",
                                                               "on"};

std::size_t care_of(std::string_view wish) {
  return static_cast<std::size_t>(
      std::find(kMostCarefulFirst.begin(), kMostCarefulFirst.end(), wish) -
      kMostCarefulFirst.begin());
}

struct Wish {
  std::string value;
  std::string by;
};

// Somebody's data, and not the node's own disk behind a name.
bool may_ever_be_probed(const Volume& volume) {
  if (is_api_object(volume.kind) || volume.window || volume.kind == VolumeKind::kImage)
    return false;
  return volume.claim ||
         (volume.kind != VolumeKind::kEmptyDir && volume.kind != VolumeKind::kHostPath);
}

// One of the subject's volumes that nobody is about to unmount, if there is one.
const Volume& representative(const Inventory& inventory, const Subject& subject) {
  for (const std::size_t i : subject.volumes) {
    const Volume& volume = inventory.volumes[i];
    if (volume.mounted && !inventory.pods[volume.pod].leaving()) return volume;
  }
  return inventory.volumes[subject.volumes.front()];
}

void use_device(const Inventory& inventory, ProbePlan& plan) {
  plan.way = ProbeWay::kDevice;
  plan.index.reset();
  if (!plan.device) {
    plan.obstacle = "no_device";
    return;
  }
  const BlockDevice& block = inventory.devices[*plan.device].block;
  plan.target = {block.number, "", "/dev/" + block.name, "", false, "", false};
}

void use_file(const Inventory& inventory, const Volume& volume, ProbePlan& plan) {
  if (!volume.target || !volume.mount) {
    plan.obstacle = "no_directory";
    return;
  }
  plan.index = volume.target;
  plan.target = inventory.targets[*volume.target];
  if (plan.target.hold) plan.obstacle = "leaving";
  if (is_memory_filesystem(volume.mount->fstype)) plan.obstacle = "memory";
  if (volume.mount->read_only()) plan.obstacle = "read_only";
}

bool auto_wants(const Inventory& inventory, const Subject& subject) {
  const Volume& volume = representative(inventory, subject);
  if (!volume.claim || !volume.mount || volume.shares_filesystem) return false;
  return !is_network_filesystem(volume.mount->fstype) &&
         !is_memory_filesystem(volume.mount->fstype);
}

// What one volume's owners say. Who speaks first counts; where somebody before them couldn't be
// heard, nobody has agreed.
enum class Heard { kNothing, kWish, kUnknown };
Heard hear(const Inventory& inventory, const Volume& volume, Wish& wish) {
  const std::string key = std::string(kAnnotationPrefix) + "probe";
  for (const AnnotationPlace& place : annotation_places(inventory, volume)) {
    if (place.says == nullptr) return Heard::kUnknown;
    const auto it = place.says->find(key);
    if (it == place.says->end()) continue;
    // A word that makes no sense isn't consent.
    wish = {care_of(it->second) < kMostCarefulFirst.size() ? it->second : "off",
            std::string(place.owner)};
    return Heard::kWish;
  }
  return Heard::kNothing;
}

std::optional<Wish> wish_of(const Inventory& inventory, const Subject& subject, ProbeMode mode) {
  std::optional<Wish> found;
  for (const std::size_t i : subject.volumes) {
    Wish wish;
    const Heard heard = hear(inventory, inventory.volumes[i], wish);
    if (heard == Heard::kUnknown) return std::nullopt;
    if (heard == Heard::kNothing) continue;
    if (!found || care_of(wish.value) < care_of(found->value)) found = wish;
  }
  if (!found && mode == ProbeMode::kAuto && auto_wants(inventory, subject)) {
    return Wish{"on", "--probe.mode=auto"};
  }
  return found;
}

// Of several pods that say something the one that wants least.
bool wants_bursts(const Inventory& inventory, const Subject& subject) {
  bool wanted = false;
  for (const std::size_t i : subject.volumes) {
    const auto* value = find_annotation(inventory, inventory.volumes[i], "burst");
    if (value == nullptr) continue;
    if (*value != "on") return false;
    wanted = true;
  }
  return wanted;
}

std::chrono::milliseconds interval_of(const Inventory& inventory, const Subject& subject,
                                      std::chrono::milliseconds usual) {
  std::optional<std::chrono::milliseconds> longest;
  for (const std::size_t i : subject.volumes) {
    const auto* value = find_annotation(inventory, inventory.volumes[i], "probe-interval");
    if (value == nullptr || !wrong_with_annotation("probe-interval", *value).empty()) continue;
    const auto interval = parse_duration(*value).value();
    longest = std::max(longest.value_or(interval), interval);
  }
  return longest.value_or(usual);
}

}  // namespace

std::string wrong_with_annotation(const std::string& name, const std::string& value) {
  if (name == "probe") {
    return care_of(value) < kMostCarefulFirst.size()
               ? ""
               : R"(must be "on", "read-only", "named-file" or "off")";
  }
  if (name == "burst") return value == "on" || value == "off" ? "" : R"(must be "on" or "off")";
  const auto interval = parse_duration(value);
  if (!interval) return interval.error().message;
  const bool fits = *interval >= kShortest && *interval <= kLongest;
  return fits ? "" : "must be 1s or more, and 1d or less";
}

ProbePlan plan_probe(const Inventory& inventory, const Subject& subject, ProbeMode mode,
                     std::chrono::milliseconds interval) {
  ProbePlan plan;
  const Volume& volume = representative(inventory, subject);
  if (mode == ProbeMode::kOff || !may_ever_be_probed(volume)) return plan;
  const auto wish = wish_of(inventory, subject, mode);
  if (!wish || wish->value == "off") return plan;
  plan.wanted = true;
  plan.asked_by = wish->by;
  plan.interval = interval_of(inventory, subject, interval);
  if (volume.devices.size() == 1) plan.device = volume.devices.front();
  if (!volume.mounted) {
    plan.obstacle = "not_mounted";
    return plan;
  }
  if (inventory.pods[volume.pod].leaving()) {
    plan.obstacle = "leaving";
    return plan;
  }
  if (volume.mode == VolumeMode::kBlock) {
    use_device(inventory, plan);
    return plan;
  }
  if (wish->value == "read-only") {
    // A filesystem has nothing to read that isn't somebody's; its device does, unless others are
    // on it.
    if (subject.devices.size() != 1) plan.device.reset();
    use_device(inventory, plan);
    return plan;
  }
  plan.way = wish->value == "named-file" ? ProbeWay::kNamedFile : ProbeWay::kUnnamedFile;
  plan.burst = wants_bursts(inventory, subject);
  use_file(inventory, volume, plan);
  return plan;
}

}  // namespace volumeter
