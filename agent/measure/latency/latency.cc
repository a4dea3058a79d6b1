#include "measure/latency/latency.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "measure/latency/block_accounts.h"
#include "measure/latency/block_programs.h"
#include "workers/tracing.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

// One quantity, as a device's series and as a volume's.
struct Metric {
  Metric(const std::string& suffix, const std::string& help, MetricType type,
         const std::vector<std::string>& extra)
      : device{"volumeter_block_device_" + suffix,
               help + " Without what is counted for volumes that share the device.",
               type,
               {"device"}},
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

// Of each new disk: long enough to have seen it at work.
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
    const std::lock_guard lock(mutex_);
    return accounts_.adopt(maps.front().get());
  }

  void set_inventory(const std::shared_ptr<const Inventory>& inventory) override {
    const std::lock_guard lock(mutex_);
    inventory_ = inventory;
    if (accounts_.watch(inventory)) new_disk_at_ = Clock::now();
  }

  [[nodiscard]] std::vector<std::string> wanted_programs() override;
  void on_attached(const std::string& program, bool attached) override;
  Status measure(const Inventory& inventory, MeasurementSet& out) override;
  void add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) override;

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] bool wants_issue() const;
  [[nodiscard]] BlockPrograms programs() const;

  std::mutex mutex_;  // all below: measure() runs on the HTTP thread
  BlockAccounts accounts_;
  std::shared_ptr<const Inventory> inventory_;
  std::set<std::string> attached_;
  Clock::time_point new_disk_at_ = Clock::now();
};

// Where a queue keeps statistics, its requests know when the device was given them, and
// block_rq_issue would only cost. Whether each does, only time tells.
bool LatencyMeasurer::wants_issue() const {
  return accounts_.without_start() > 0 || Clock::now() - new_disk_at_ < kIssueTrial;
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
  // Before those that finish what this one begins; else something would be missed.
  if (requests && wants_issue()) wanted.emplace_back(kRequestIssue);
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
  if (program == kRequestIssue) accounts_.set_issuing(attached);
}

BlockPrograms LatencyMeasurer::programs() const {
  return {attached_.contains(kRequestComplete), attached_.contains(kRequestIssue),
          attached_.contains(kBioQueue) && attached_.contains(kBioComplete)};
}

Status LatencyMeasurer::measure(const Inventory& inventory, MeasurementSet& out) {
  const std::lock_guard lock(mutex_);
  if (!accounts_.adopted()) return Error{"no BPF program is attached", 0};
  const auto subjects = accounts_.subjects(inventory, programs());
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    if (!subjects[i]) continue;
    const Subject& subject = inventory.subjects[i];
    const BlockCounts& counts = subjects[i]->counts;
    for (std::size_t o = 0; o < kOperations.size(); ++o) {
      out.add(kLatency.volume, subject, {kOperations[o]}, histogram_of(counts.operations[o]));
      if (!subjects[i]->queue_known) continue;
      out.add(kQueue.volume, subject, {kOperations[o]}, counts.operations[o].queue_seconds);
    }
    if (!subjects[i]->flushes_known) continue;
    out.add(kFlushes.volume, subject, static_cast<double>(counts.flushes));
    out.add(kFlushTime.volume, subject, counts.flush_seconds);
  }
  const auto devices = accounts_.devices(inventory, programs());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const Device& device = inventory.devices[i];
    if (!devices[i] || device.owner || !device.shown()) continue;
    const BlockCounts& counts = devices[i]->counts;
    for (std::size_t o = 0; o < kOperations.size(); ++o) {
      const std::vector<std::string> labels = {device.labels->front(), kOperations[o]};
      out.add(kLatency.device, make_labels(labels), histogram_of(counts.operations[o]));
      if (!devices[i]->queue_known) continue;
      out.add(kQueue.device, labels, counts.operations[o].queue_seconds);
    }
    if (!devices[i]->flushes_known) continue;
    out.add(kFlushes.device, device.labels, static_cast<double>(counts.flushes));
    out.add(kFlushTime.device, device.labels, counts.flush_seconds);
  }
  return Done{};
}

void LatencyMeasurer::add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) {
  const std::lock_guard lock(mutex_);
  if (!accounts_.adopted()) return;
  const auto subjects = accounts_.subjects(inventory, programs());
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (!subjects[i]) continue;
    totals[i].latency.emplace();
    for (std::size_t o = 0; o < kOperations.size(); ++o) {
      const auto& buckets = subjects[i]->counts.operations[o].buckets;
      (*totals[i].latency)[o].assign(buckets.begin(), buckets.end());
    }
  }
}

}  // namespace

std::unique_ptr<Measurer> make_latency_measurer() { return std::make_unique<LatencyMeasurer>(); }

}  // namespace volumeter
