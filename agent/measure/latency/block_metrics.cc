#include "measure/latency/block_metrics.h"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace volumeter {
namespace {

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
const Metric kFlushes("io_flushes_total",
                      "Cache flushes that a device without requests (dm, md, zram) completed.",
                      MetricType::kCounter, {});
const Metric kFlushTime("io_flush_seconds_total",
                        "Seconds that cache flushes of a device without requests took.",
                        MetricType::kCounter, {});
const Metric kErrors("io_errors_total",
                     "Reads, writes and flushes that the device ended with an error.",
                     MetricType::kCounter, {});
const std::array<std::string, 2> kOperations = {"read", "write"};

std::shared_ptr<const Histogram> histogram_of(const BlockCounts::Operation& operation) {
  const auto& all = operation.buckets;
  std::vector<std::uint64_t> counts(all.begin() + 1, all.end() - 1);
  counts.front() += all.front();
  counts.back() += all.back();
  return std::make_shared<const Histogram>(kDeviceIoBounds, std::move(counts),
                                           operation.device_seconds);
}

void add_volume(const Subject& subject, const BlockAccount& account, MeasurementSet& out) {
  const BlockCounts& counts = account.counts;
  for (std::size_t o = 0; o < kOperations.size(); ++o) {
    out.add(kLatency.volume, subject, {kOperations[o]}, histogram_of(counts.operations[o]));
    if (!account.queue_known) continue;
    out.add(kQueue.volume, subject, {kOperations[o]}, counts.operations[o].queue_seconds);
  }
  if (account.whole_devices) {
    out.add(kErrors.volume, subject, static_cast<double>(counts.errors));
  }
  if (!account.flushes_known) return;
  out.add(kFlushes.volume, subject, static_cast<double>(counts.flushes));
  out.add(kFlushTime.volume, subject, counts.flush_seconds);
}

void add_device(const Device& device, const BlockAccount& account, MeasurementSet& out) {
  const BlockCounts& counts = account.counts;
  for (std::size_t o = 0; o < kOperations.size(); ++o) {
    const std::vector<std::string> labels = {device.labels->front(), kOperations[o]};
    out.add(kLatency.device, make_labels(labels), histogram_of(counts.operations[o]));
    if (!account.queue_known) continue;
    out.add(kQueue.device, labels, counts.operations[o].queue_seconds);
  }
  out.add(kErrors.device, device.labels, static_cast<double>(counts.errors));
  if (!account.flushes_known) return;
  out.add(kFlushes.device, device.labels, static_cast<double>(counts.flushes));
  out.add(kFlushTime.device, device.labels, counts.flush_seconds);
}

}  // namespace

std::vector<const MetricDesc*> block_families() {
  std::vector<const MetricDesc*> all;
  for (const Metric* metric : {&kLatency, &kQueue, &kFlushes, &kFlushTime, &kErrors}) {
    all.insert(all.end(), {&metric->device, &metric->volume.claim, &metric->volume.pod});
  }
  return all;
}

void add_block_times(const Inventory& inventory,
                     const std::vector<std::optional<BlockAccount>>& volumes,
                     const std::vector<std::optional<BlockAccount>>& devices, MeasurementSet& out) {
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    if (volumes[i]) add_volume(inventory.subjects[i], *volumes[i], out);
  }
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const Device& device = inventory.devices[i];
    if (devices[i] && !device.owner && device.shown()) add_device(device, *devices[i], out);
  }
}

}  // namespace volumeter
