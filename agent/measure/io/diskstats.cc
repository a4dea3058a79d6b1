#include "measure/io/diskstats.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_map>

#include "host/block_devices.h"

namespace volumeter {
namespace {

constexpr double kSector = kSectorBytes;
constexpr double kMillisecond = 0.001;  // seconds

}  // namespace

DiskField::DiskField(const std::string& suffix, const std::string& help, double to_base,
                     MetricType type)
    : device{"volumeter_block_device_io_" + suffix, help, type, {"device"}},
      volume("io_" + suffix, help + " Of a volume that has its block devices to itself.", type),
      scale(to_base) {}

const std::vector<DiskField>& disk_fields() {
  static const std::vector<DiskField> kFields = {
      {"reads_completed_total", "Reads completed.", 1},
      {"reads_merged_total", "Reads merged.", 1},
      {"read_bytes_total", "Bytes read.", kSector},
      {"read_time_seconds_total", "Seconds spent by all reads.", kMillisecond},
      {"writes_completed_total", "Writes completed.", 1},
      {"writes_merged_total", "Writes merged.", 1},
      {"written_bytes_total", "Bytes written.", kSector},
      {"write_time_seconds_total", "Seconds spent by all writes.", kMillisecond},
      {"io_now", "Operations in flight.", 1, MetricType::kGauge},
      {"io_time_seconds_total", "Seconds with any operation in flight.", kMillisecond},
      {"io_time_weighted_seconds_total", "Seconds in flight, summed over operations.",
       kMillisecond},
      {"discards_completed_total", "Discards completed.", 1},
      {"discards_merged_total", "Discards merged.", 1},
      {"discarded_bytes_total", "Bytes discarded.", kSector},
      {"discard_time_seconds_total", "Seconds spent by all discards.", kMillisecond},
      {"flush_requests_total", "Flushes completed.", 1},
      {"flush_requests_time_seconds_total", "Seconds spent by all flushes.", kMillisecond},
  };
  return kFields;
}

std::vector<std::optional<DiskCounters>> read_diskstats(std::string_view text,
                                                        const Inventory& inventory) {
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < inventory.devices.size(); ++i) {
    index[inventory.devices[i].block.name] = i;
  }
  std::vector<std::optional<DiskCounters>> all(inventory.devices.size());
  while (!text.empty()) {
    std::string_view line = next_line(text);
    next_word(line);  // major
    next_word(line);  // minor
    const auto it = index.find(next_word(line));
    if (it == index.end()) continue;
    const BlockDevice& block = inventory.devices[it->second].block;
    DiskCounters counters = parse_disk_counters(line);
    // zram counts all the same.
    const bool counts = block.bio_based && counters.values != decltype(counters.values){};
    if (!block.accounts && !counts) continue;
    // Flushes are counted for whole disks with requests only (block/blk-flush.c).
    if (!block.disk.empty() || block.bio_based) counters.count = std::min(counters.count, kFlushes);
    const DiskCounters& before = block.counted_before;
    for (std::size_t i = 0; i < counters.count; ++i) {
      // Smaller than before: another disk, which nobody has announced yet.
      if (i != kInFlight && counters.values[i] >= before.values[i]) {
        counters.values[i] -= before.values[i];
      }
    }
    if (counters.count > 0) all[it->second] = counters;
  }
  return all;
}

std::optional<DiskCounters> sum_of(const std::vector<std::size_t>& devices,
                                   const std::vector<std::optional<DiskCounters>>& counters) {
  std::optional<DiskCounters> sum;
  for (const std::size_t device : devices) {
    const std::optional<DiskCounters>& one = counters[device];
    if (!one) return std::nullopt;
    if (!sum) {
      sum = one;
      continue;
    }
    sum->count = std::min(sum->count, one->count);
    for (std::size_t i = 0; i < sum->count; ++i) sum->values[i] += one->values[i];
  }
  return sum;
}

}  // namespace volumeter
