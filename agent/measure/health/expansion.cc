#include "measure/health/expansion.h"

#include <algorithm>
#include <array>
#include <set>

#include "volumeter/human.h"

namespace volumeter {
namespace {

const VolumeMetric kPending("expansion_pending_bytes",
                            "Bytes that the claim asks for, or its device has, and its users "
                            "can't use yet.");
const VolumeMetric kStage("expansion_stage",
                          "1 for the stage that an expansion waits in; absent when none does.",
                          MetricType::kGauge, {"stage"});
const VolumeMetric kSince("expansion_since_timestamp_seconds",
                          "Since when an expansion waits in its stage, in Unix time: as the claim "
                          "says, or since the agent has seen it.");

constexpr std::array<const char*, 3> kStages = {"controller", "node", "filesystem"};
constexpr std::array<const char*, 3> kWaitsFor = {"the volume itself hasn't grown",
                                                  "this node's device hasn't grown",
                                                  "the filesystem doesn't fill its device"};

// statfs leaves out what the filesystem needs for itself: ext4 its inode tables (256 bytes each by
// default), journal, bitmaps and reserved descriptors, xfs its log (mke2fs(8), mkfs.xfs(8)). A gap
// that these can explain is no gap. Others reserve more, or nobody knows how much.
bool is_size_comparable(const std::string& fstype) {
  return fstype.starts_with("ext") || fstype == "xfs" || fstype == "btrfs";
}
constexpr std::uint64_t kInodeBytes = 256;
constexpr std::uint64_t kOwnUse = 128 << 20;
constexpr double kOwnShare = 0.03;

std::uint64_t unused_device(const Sizes& sizes) {
  if (!sizes.device || !sizes.filesystem) return 0;
  const std::uint64_t known = *sizes.filesystem + sizes.inodes * kInodeBytes;
  const auto allowed =
      kOwnUse + static_cast<std::uint64_t>(static_cast<double>(*sizes.device) * kOwnShare);
  return *sizes.device > known + allowed ? *sizes.device - known : 0;
}

std::uint64_t missing(std::uint64_t wanted, std::optional<std::uint64_t> there) {
  return there && *there < wanted ? wanted - *there : 0;
}

Sizes sizes_of(const Snapshot& snapshot, const Subject& subject, std::size_t volume_index) {
  const Inventory& inventory = *snapshot.inventory;
  const Volume& volume = inventory.volumes[volume_index];
  const Claim& claim = inventory.claims[*subject.claim];
  Sizes sizes{claim.requested_bytes, claim.granted_bytes, volume.volume_bytes, {}, {}, 0};
  if (volume.mode == VolumeMode::kBlock) {
    sizes.device = volume.device_bytes;
  } else if (volume.mount && !volume.shares_filesystem && volume.devices.size() == 1) {
    sizes.device = inventory.devices[volume.devices.front()].block.size_bytes;
    const Reading& reading = snapshot.volumes[volume_index];
    if (reading.usage && reading.error == 0 && is_size_comparable(volume.mount->fstype)) {
      sizes.filesystem = reading.usage->capacity;
      // xfs makes its inodes when they are needed.
      if (volume.mount->fstype.starts_with("ext")) {
        sizes.inodes = reading.usage->inodes.value_or(0);
      }
    }
  }
  return sizes;
}

}  // namespace

std::optional<PendingExpansion> pending_expansion(const Sizes& sizes) {
  if (!sizes.requested || (!sizes.volume && !sizes.granted)) return std::nullopt;
  const std::uint64_t wanted = *sizes.requested;
  const bool done = sizes.granted && *sizes.granted >= wanted;
  // The PersistentVolume is asked for less often than the claim.
  if (const auto bytes = missing(wanted, sizes.volume); bytes > 0 && !done) {
    return PendingExpansion{bytes, ExpansionStage::kController};
  }
  if (const auto bytes = unused_device(sizes)) {
    return PendingExpansion{bytes, ExpansionStage::kFilesystem};
  }
  const auto bytes = missing(wanted, sizes.granted);
  if (bytes == 0) return PendingExpansion{};
  // The device has grown, and so has what is on it as far as that shows: the kubelet hasn't said
  // so yet.
  const bool grown = sizes.device && *sizes.device >= wanted;
  return PendingExpansion{bytes, grown ? ExpansionStage::kFilesystem : ExpansionStage::kNode};
}

std::vector<const MetricDesc*> ExpansionWatch::families() {
  std::vector<const MetricDesc*> all;
  for (const VolumeMetric* metric : {&kPending, &kStage, &kSince}) all.push_back(&metric->claim);
  return all;
}

void ExpansionWatch::add(Snapshot& snapshot) {
  const Inventory& inventory = *snapshot.inventory;
  std::map<std::vector<std::string>, Waiting> still;
  for (const Subject& subject : inventory.subjects) {
    if (!subject.claim || subject.hidden) continue;
    const auto used = volumes_in_use(inventory, subject);
    if (used.empty()) continue;
    const auto pending = pending_expansion(sizes_of(snapshot, subject, used.front()));
    if (!pending) continue;
    snapshot.measurements.add(kPending, subject, static_cast<double>(pending->bytes));
    if (pending->bytes == 0) continue;
    const auto stage = static_cast<std::size_t>(pending->stage);
    const auto known = waiting_.find(*subject.labels);
    Waiting waiting{pending->stage, snapshot.taken_at};
    if (known != waiting_.end() && known->second.stage == pending->stage) waiting = known->second;
    const Claim& claim = inventory.claims[*subject.claim];
    if (claim.resizing_since && *claim.resizing_since < waiting.since) {
      waiting.since = *claim.resizing_since;
    }
    still[*subject.labels] = waiting;
    const std::chrono::duration<double> since = waiting.since.time_since_epoch();
    snapshot.measurements.add(kStage, subject, {kStages[stage]}, 1);
    snapshot.measurements.add(kSince, subject, since.count());
    std::string text = "an expansion waits: " + std::string(kWaitsFor[stage]) + " (" +
                       human_bytes(pending->bytes) + " is missing)";
    if (claim.resize_failed) text += "; its last attempt failed";
    for (const std::size_t i : used) {
      snapshot.volumes[i].findings.push_back({FindingKind::kExpansion, text});
    }
  }
  waiting_ = std::move(still);
}

}  // namespace volumeter
