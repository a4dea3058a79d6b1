#include "collect/burst_watch.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "host/host.h"
#include "measure/io/diskstats.h"
#include "mounts/filesystem_kinds.h"

namespace volumeter {
namespace {

constexpr double kFullest = 0.95;
constexpr std::uint64_t kLeastRoom = 16 * kBurstFile;  // a quota's edge is nearer than a disk's
constexpr double kMostBusy = 0.1;                      // of the time
// Requests of others, beyond what may be a burst's own: while it lays out its file, parts of what
// it writes and the journal's; then those that the device has completed and the worker hasn't seen.
constexpr std::uint64_t kMostOthersAtFirst = 64;
constexpr std::uint64_t kMostOthers = kBurstDepth + 8;
constexpr std::uint64_t kLayoutOperations = kBurstFile / kBurstLayoutBlock;
// What a sync may take beside a burst, in seconds: this, or twice what it usually takes.
constexpr double kSlowSync = 0.005;

// Disks that are paid for by the operation, or slow down once a credit is used up.
constexpr std::array<std::string_view, 20> kMeteredDrivers = {"ebs.csi.aws.com",
                                                              "ebs.csi.eks.amazonaws.com",
                                                              "efs.csi.aws.com",
                                                              "fsx.csi.aws.com",
                                                              "pd.csi.storage.gke.io",
                                                              "filestore.csi.storage.gke.io",
                                                              "disk.csi.azure.com",
                                                              "file.csi.azure.com",
                                                              "dobs.csi.digitalocean.com",
                                                              "csi.hetzner.cloud",
                                                              "cinder.csi.openstack.org",
                                                              "diskplugin.csi.alibabacloud.com",
                                                              "nasplugin.csi.alibabacloud.com",
                                                              "blockvolume.csi.oraclecloud.com",
                                                              "fss.csi.oraclecloud.com",
                                                              "vpc.block.csi.ibm.io",
                                                              "linodebs.csi.linode.com",
                                                              "block.csi.vultr.com",
                                                              "csi.scaleway.com",
                                                              "csi.exoscale.com"};

bool is_metered(const Volume& volume) {
  return volume.kind == VolumeKind::kCloudDisk ||
         std::find(kMeteredDrivers.begin(), kMeteredDrivers.end(), volume.csi_driver) !=
             kMeteredDrivers.end() ||
         (volume.mount && is_network_filesystem(volume.mount->fstype));
}

// The device, and what it is made of, down to the disks.
std::vector<std::size_t> with_all_below(const Inventory& inventory, std::size_t device) {
  std::vector<std::size_t> all = {device};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::size_t below : inventory.devices[all[i]].below) {
      if (std::find(all.begin(), all.end(), below) == all.end()) all.push_back(below);
    }
  }
  return all;
}

}  // namespace

std::string burst_obstacle(const Snapshot& snapshot, std::size_t index, const ProbePlan& plan) {
  const Subject& subject = snapshot.inventory->subjects[index];
  for (const std::size_t i : subject.volumes) {
    if (is_metered(snapshot.inventory->volumes[i])) return "metered";
  }
  if (!plan.device) return "no_device";
  const Reading& reading = snapshot.volumes[subject.volumes.front()];
  if (reading.read_only.value_or(false)) return "read_only";
  if (!reading.usage || !reading.usage->ratio()) return "unknown_usage";
  if (*reading.usage->ratio() > kFullest || reading.usage->inodes_ratio().value_or(0) > kFullest ||
      reading.usage->available.value_or(kLeastRoom) < kLeastRoom) {
    return "full";
  }
  return {};
}

BurstWatch::BurstWatch(std::string procfs, std::vector<LiveMeasurer*> live, Subject subject)
    : procfs_(std::move(procfs)),
      live_(std::move(live)),
      subject_(std::move(subject)),
      first_(look()) {}

std::optional<BurstWatch::Looks> BurstWatch::look() const {
  if (!subject_.device) return std::nullopt;
  const auto text = read_file(procfs_ + "/diskstats");
  if (!text) return std::nullopt;
  const auto all = read_diskstats(*text, *subject_.inventory);
  Looks looks;
  for (const std::size_t device : with_all_below(*subject_.inventory, *subject_.device)) {
    const auto& counters = all[device];
    if (!counters || counters->count < kBusyTime + 1) return std::nullopt;
    const auto& values = counters->values;
    looks.push_back({values[kReads] + values[kWrites], values[kInFlight], values[kBusyTime],
                     std::chrono::steady_clock::now()});
  }
  return looks;
}

std::optional<IoTotals::Buckets> BurstWatch::syncs() const {
  std::vector<IoTotals> totals(subject_.inventory->subjects.size());
  for (LiveMeasurer* live : live_) live->add_io_totals(*subject_.inventory, totals);
  return totals[subject_.index].syncs;
}

bool BurstWatch::device_is_idle() {
  const auto now = look();
  if (!first_ || !now || now->size() != first_->size()) return false;
  for (std::size_t i = 0; i < now->size(); ++i) {
    const Look& before = (*first_)[i];
    const Look& after = (*now)[i];
    const std::chrono::duration<double, std::milli> passed = after.when - before.when;
    const auto busy = static_cast<double>(after.busy_ms - before.busy_ms);
    if (after.in_flight > 0 || busy > kMostBusy * passed.count()) return false;
  }
  return true;
}

void BurstWatch::begin() {
  first_ = look();
  first_syncs_ = syncs();
}

bool BurstWatch::disturbs(std::uint64_t ours) {
  const auto now = look();
  if (!first_ || !now || now->size() != first_->size()) return true;
  for (std::size_t i = 0; i < now->size(); ++i) {
    const std::uint64_t most = laid_out_ ? kMostOthers : kMostOthersAtFirst;
    if ((*now)[i].requests > (*first_)[i].requests + ours + most) return true;
  }
  if (!laid_out_ && ours > kLayoutOperations) {  // from here on one of its operations is a request
    laid_out_ = true;
    for (std::size_t i = 0; i < now->size(); ++i) {
      Look& base = (*first_)[i];
      base.requests = std::max((*now)[i].requests, base.requests + ours) - ours;
    }
  }
  const auto after = syncs();
  if (!first_syncs_ || !after) return false;
  const double most = std::max(kSlowSync, 2 * subject_.usual_sync.value_or(0));
  for (std::size_t i = 1; i < after->size(); ++i) {
    if (kIoBounds[i - 1] >= most && (*after)[i] > (*first_syncs_)[i]) return true;
  }
  return false;
}

}  // namespace volumeter
