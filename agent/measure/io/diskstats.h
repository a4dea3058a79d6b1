// The columns of /proc/diskstats: what they count, and whose they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "volumeter/inventory.h"
#include "volumeter/measurement.h"

namespace volumeter {

// One column, as a device's series and as a volume's.
struct DiskField {
  DiskField(const std::string& suffix, const std::string& help, double scale,
            MetricType type = MetricType::kCounter);
  MetricDesc device;
  VolumeMetric volume;
  double scale;  // from the column's unit to the metric's
};

inline constexpr std::size_t kReads = 0;
inline constexpr std::size_t kReadSectors = 2;
inline constexpr std::size_t kWrites = 4;
inline constexpr std::size_t kWrittenSectors = 6;
inline constexpr std::size_t kInFlight = 8;
inline constexpr std::size_t kBusyTime = 9;
inline constexpr std::size_t kFlushes = 15;
// Of devices only: series of claims have a budget, and merges and discards say least.
constexpr bool is_of_devices_only(std::size_t field) {
  constexpr std::size_t kReadsMerged = 1;
  constexpr std::size_t kWritesMerged = 5;
  constexpr std::size_t kDiscards = 11;
  return field == kReadsMerged || field == kWritesMerged ||
         (field >= kDiscards && field < kFlushes);
}
inline constexpr std::uint64_t kSectorBytes = 512;  // whatever the device's own sector size

// In the order of the columns after the device's name.
const std::vector<DiskField>& disk_fields();

// Parallel to inventory.devices: what each has counted since its disk was attached; absent where
// the text has no such line.
std::vector<std::optional<DiskCounters>> read_diskstats(std::string_view text,
                                                        const Inventory& inventory);

// The sum over `devices`: as many columns as all of them have; absent when one isn't known.
std::optional<DiskCounters> sum_of(const std::vector<std::size_t>& devices,
                                   const std::vector<std::optional<DiskCounters>>& counters);

}  // namespace volumeter
