#include "measure/latency/latency.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "measure/latency/block_programs.h"
#include "measure/latency/slots.h"
#include "volumeter/log.h"
#include "workers/tracing.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

// One quantity, as a device's series and as a volume's.
struct Metric {
  Metric(const std::string& suffix, const std::string& help, MetricType type,
         const std::vector<std::string>& extra)
      : device{"volumeter_block_device_" + suffix, help, type, {"device"}},
        volume(suffix, help + " Of a volume whose I/O can be told from others'.", type, extra) {
    device.labels.insert(device.labels.end(), extra.begin(), extra.end());
  }
  MetricDesc device;
  VolumeMetric volume;
};

const Metric kLatency("io_latency_seconds",
                      "How long the device took for each read or write that it completed.",
                      MetricType::kHistogram, {"operation"});
const Metric kQueue("io_queue_seconds_total",
                    "Seconds that completed reads and writes had waited for the device.",
                    MetricType::kCounter, {"operation"});
const Metric kFlushes("io_flushes_total", "Cache flushes that the device completed.",
                      MetricType::kCounter, {});
const Metric kFlushTime("io_flush_seconds_total", "Seconds that cache flushes took.",
                        MetricType::kCounter, {});
const std::array<std::string, 2> kOperations = {"read", "write"};

// Long enough to have seen every kind of device on the node at work.
constexpr auto kIssueTrial = 60s;

std::shared_ptr<const Histogram> histogram_of(const BlockCounts::Operation& operation) {
  return std::make_shared<const Histogram>(
      kIoBounds, std::vector<std::uint64_t>(operation.buckets.begin(), operation.buckets.end()),
      operation.device_seconds);
}

class LatencyMeasurer final : public TracingMeasurer {
 public:
  [[nodiscard]] std::string_view name() const override { return "latency"; }

  [[nodiscard]] std::vector<const MetricDesc*> families() const override {
    std::vector<const MetricDesc*> all;
    for (const Metric* metric : {&kLatency, &kQueue, &kFlushes, &kFlushTime}) {
      all.insert(all.end(), {&metric->device, &metric->volume.claim, &metric->volume.pod});
    }
    return all;
  }

  [[nodiscard]] std::vector<std::string> all_programs() const override {
    return {kRequestComplete, kRequestIssue, kBioQueue, kBioComplete};
  }

  [[nodiscard]] Result<std::vector<int>> attach(const std::string& program,
                                                const std::vector<int>& maps) const override {
    return attach_block_program(program, maps);
  }

  Status adopt(const std::vector<UniqueFd>& maps) override {
    if (maps.empty()) return Error{"no map came with the program", EBADMSG};
    auto memory = BlockMemory::map(maps.front().get());
    if (!memory) return memory.error();
    const std::lock_guard lock(mutex_);
    memory_.emplace(std::move(memory).value());
    watch();
    return Done{};
  }

  void set_inventory(const std::shared_ptr<const Inventory>& inventory) override {
    const std::lock_guard lock(mutex_);
    inventory_ = inventory;
    watch();
  }

  [[nodiscard]] std::vector<std::string> wanted_programs() override;
  void on_attached(const std::string& program, bool attached) override;
  Status measure(const Inventory& inventory, MeasurementSet& out) override;
  void add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) override;

 private:
  using Clock = std::chrono::steady_clock;

  void watch();
  void decide_on_issue();
  [[nodiscard]] bool is_timed(const Device& device) const;
  [[nodiscard]] std::optional<BlockCounts> read(const SlotKey& key) const;
  [[nodiscard]] std::vector<std::optional<BlockCounts>> read_subjects(
      const Inventory& inventory) const;
  [[nodiscard]] std::optional<BlockCounts> read_device(const Inventory& inventory,
                                                       std::size_t device) const;

  std::mutex mutex_;  // all below: measure() runs on the HTTP thread
  std::optional<BlockMemory> memory_;
  Slots slots_;
  std::shared_ptr<const Inventory> inventory_;
  std::set<std::string> attached_;
  std::size_t lost_ = 0;
  // Whether some queue doesn't keep the times itself: only time tells.
  bool issue_wanted_ = true;
  std::uint64_t without_start_ = 0;
  std::optional<Clock::time_point> issue_since_;
};

void LatencyMeasurer::watch() {
  if (!memory_ || !inventory_) return;
  std::size_t lost = 0;
  const auto watches = slots_.assign(
      *inventory_, [&](std::uint16_t slot) { memory_->clear(slot); }, lost);
  lost += memory_->watch(watches);
  if (std::exchange(lost_, lost) != lost && lost > 0) {
    log(LogLevel::kWarn, "too many block devices: the latency of some isn't measured",
        {{"devices", std::to_string(lost)}, {"most", std::to_string(BLOCK_SLOTS)}});
  }
}

// A request's start is known to the kernel where its queue keeps statistics; then block_rq_issue
// would only cost.
void LatencyMeasurer::decide_on_issue() {
  if (!memory_) return;
  const std::uint64_t without = memory_->without_start();
  const bool missed = std::exchange(without_start_, without) != without;
  if (missed) {
    issue_wanted_ = true;
    if (issue_since_) issue_since_ = Clock::now();
  } else if (issue_since_ && Clock::now() - *issue_since_ >= kIssueTrial) {
    issue_wanted_ = false;
  }
}

std::vector<std::string> LatencyMeasurer::wanted_programs() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> wanted;
  if (!inventory_) return wanted;
  bool requests = false;
  bool bios = false;
  for (const Device& device : inventory_->devices) {
    if (device.owner || device.shown()) (device.block.bio_based ? bios : requests) = true;
  }
  decide_on_issue();
  // Before those that finish what this one begins; else something would be missed.
  if (requests && issue_wanted_) wanted.emplace_back(kRequestIssue);
  if (requests) wanted.emplace_back(kRequestComplete);
  if (bios) wanted.insert(wanted.end(), {kBioComplete, kBioQueue});
  return wanted;
}

void LatencyMeasurer::on_attached(const std::string& program, bool attached) {
  const std::lock_guard lock(mutex_);
  if (attached) {
    attached_.insert(program);
  } else {
    attached_.erase(program);
  }
  if (program != kRequestIssue) return;
  if (memory_) memory_->set_issuing(attached);
  issue_since_.reset();
  if (attached) issue_since_ = Clock::now();
}

std::optional<BlockCounts> LatencyMeasurer::read(const SlotKey& key) const {
  const auto slot = slots_.find(key);
  return slot ? std::optional(memory_->read(*slot)) : std::nullopt;
}

std::optional<BlockCounts> LatencyMeasurer::read_device(const Inventory& inventory,
                                                        std::size_t device) const {
  if (!is_timed(inventory.devices[device])) return std::nullopt;
  return read(key_of_device(inventory, device));
}

bool LatencyMeasurer::is_timed(const Device& device) const {
  if (!device.block.bio_based) return attached_.contains(kRequestComplete);
  return attached_.contains(kBioQueue) && attached_.contains(kBioComplete);
}

// A volume's own devices; or what its pods' cgroups did to those that it shares.
std::vector<std::optional<BlockCounts>> LatencyMeasurer::read_subjects(
    const Inventory& inventory) const {
  std::vector<std::optional<BlockCounts>> all(inventory.subjects.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const std::size_t device : inventory.subjects[i].devices) {
      const auto counts = read_device(inventory, device);
      if (!counts) {
        all[i].reset();
        break;
      }
      if (!all[i]) all[i].emplace();
      all[i]->add(*counts);
    }
  }
  for (const PodDevice& pod : inventory.pod_devices) {
    if (!is_timed(inventory.devices[pod.device])) continue;
    const auto counts = read(key_of_pod(inventory, pod));
    if (!counts) continue;
    if (!all[pod.subject]) all[pod.subject].emplace();
    all[pod.subject]->add(*counts);
  }
  return all;
}

Status LatencyMeasurer::measure(const Inventory& inventory, MeasurementSet& out) {
  const std::lock_guard lock(mutex_);
  if (!memory_) return Error{"no BPF program is attached", 0};
  const auto subjects = read_subjects(inventory);
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    if (!subjects[i]) continue;
    const Subject& subject = inventory.subjects[i];
    for (std::size_t o = 0; o < kOperations.size(); ++o) {
      const BlockCounts::Operation& operation = subjects[i]->operations[o];
      out.add(kLatency.volume, subject, {kOperations[o]}, histogram_of(operation));
      out.add(kQueue.volume, subject, {kOperations[o]}, operation.queue_seconds);
    }
    out.add(kFlushes.volume, subject, static_cast<double>(subjects[i]->flushes));
    out.add(kFlushTime.volume, subject, subjects[i]->flush_seconds);
  }
  for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
    const Device& device = inventory.devices[i];
    if (device.owner || !device.shown()) continue;
    auto counts = read_device(inventory, i);
    if (!counts) continue;
    // What went to its partitions went to the disk.
    for (std::size_t p = 0; p < inventory.devices.size(); ++p) {
      if (inventory.devices[p].block.disk != device.block.name) continue;
      if (const auto part = read_device(inventory, p)) counts->add(*part);
    }
    for (std::size_t o = 0; o < kOperations.size(); ++o) {
      const std::vector<std::string> labels = {device.labels->front(), kOperations[o]};
      out.add(kLatency.device, make_labels(labels), histogram_of(counts->operations[o]));
      out.add(kQueue.device, labels, counts->operations[o].queue_seconds);
    }
    out.add(kFlushes.device, device.labels, static_cast<double>(counts->flushes));
    out.add(kFlushTime.device, device.labels, counts->flush_seconds);
  }
  return Done{};
}

void LatencyMeasurer::add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) {
  const std::lock_guard lock(mutex_);
  if (!memory_) return;
  const auto subjects = read_subjects(inventory);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (!subjects[i]) continue;
    totals[i].latency.emplace();
    for (std::size_t o = 0; o < kOperations.size(); ++o) {
      const auto& buckets = subjects[i]->operations[o].buckets;
      (*totals[i].latency)[o].assign(buckets.begin(), buckets.end());
    }
  }
}

}  // namespace

std::unique_ptr<Measurer> make_latency_measurer() { return std::make_unique<LatencyMeasurer>(); }

}  // namespace volumeter
