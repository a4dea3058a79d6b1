#include "measure/io/io.h"

#include <charconv>
#include <string>
#include <utility>

#include "host/block_devices.h"
#include "measure/io/diskstats.h"
#include "measure/io/mountstats.h"

namespace volumeter {
namespace {

const MetricDesc kInfo = {
    "volumeter_block_device_info",
    "What a block device is: tier says what it rests on, as far as it tells.",
    MetricType::kGauge,
    {"device", "disk", "model", "rotational", "tier", "scheduler", "encryption"}};
const MetricDesc kSize = {
    "volumeter_block_device_size_bytes", "The device's size.", MetricType::kGauge, {"device"}};
const MetricDesc kWaiting = {"volumeter_pressure_io_waiting_seconds_total",
                             "Seconds in which some task of the node waited for I/O (PSI).",
                             MetricType::kCounter,
                             {}};
const MetricDesc kStalled = {"volumeter_pressure_io_stalled_seconds_total",
                             "Seconds in which all tasks of the node waited for I/O (PSI).",
                             MetricType::kCounter,
                             {}};

constexpr std::size_t kLongestMountstats = 32 << 20;  // thousands of NFS mounts

class IoMeasurer final : public LiveMeasurer {
 public:
  explicit IoMeasurer(HostPaths host) : host_(std::move(host)) {}

  [[nodiscard]] std::string_view name() const override { return "io"; }

  [[nodiscard]] std::vector<const MetricDesc*> families() const override {
    std::vector<const MetricDesc*> all = {&kInfo, &kSize, &kWaiting, &kStalled};
    for (std::size_t i = 0; i < disk_fields().size(); ++i) {
      const DiskField& field = disk_fields()[i];
      all.push_back(&field.device);
      if (!is_of_devices_only(i)) all.insert(all.end(), {&field.volume.claim, &field.volume.pod});
    }
    const auto nfs = nfs_families();
    all.insert(all.end(), nfs.begin(), nfs.end());
    return all;
  }

  void add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) override {
    const auto text = read_file(host_.procfs + "/diskstats");
    if (!text) return;
    const auto counters = read_diskstats(*text, inventory);
    for (std::size_t i = 0; i < totals.size(); ++i) {
      const auto sum = sum_of(inventory.subjects[i].devices, counters);
      if (!sum) continue;
      totals[i].counters = {sum->values[kReads], sum->values[kWrites],
                            sum->values[kReadSectors] * kSectorBytes,
                            sum->values[kWrittenSectors] * kSectorBytes};
    }
  }

  Status measure(const Inventory& inventory, MeasurementSet& out) override {
    auto text = read_file(host_.procfs + "/diskstats");
    if (!text) return text.error();
    add_diskstats(*text, inventory, out);
    add_block_devices(inventory, out);
    // Absent where the kernel has PSI off: no series, no error.
    if (auto pressure = read_file(host_.procfs + "/pressure/io")) add_io_pressure(*pressure, out);
    if (!has_nfs(inventory)) return Done{};
    const auto stats = read_file(host_.procfs + "/1/mountstats", kLongestMountstats);
    if (!stats) return stats.error();
    add_nfs(*stats, inventory, out);
    return Done{};
  }

 private:
  HostPaths host_;
};

}  // namespace

void add_diskstats(std::string_view text, const Inventory& inventory, MeasurementSet& out) {
  const auto counters = read_diskstats(text, inventory);
  const std::vector<DiskField>& fields = disk_fields();
  const auto add = [&](const DiskCounters& one, const auto& add_field) {
    for (std::size_t i = 0; i < one.count; ++i) {
      add_field(i, static_cast<double>(one.values[i]) * fields[i].scale);
    }
  };
  for (const Subject& subject : inventory.subjects) {
    const auto sum = sum_of(subject.devices, counters);
    if (!sum || subject.hidden) continue;
    add(*sum, [&](std::size_t i, double value) {
      if (!is_of_devices_only(i)) out.add(fields[i].volume, subject, value);
    });
  }
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Device& device = inventory.devices[i];
    if (!counters[i] || device.owner || !device.shown()) continue;
    const bool idle = counters[i]->values[kReads] + counters[i]->values[kWrites] == 0;
    if (idle && !device.used && device.block.tier == Tier::kLoop) continue;
    add(*counters[i], [&](std::size_t field, double value) {
      out.add(fields[field].device, device.labels, value);
    });
  }
}

void add_block_devices(const Inventory& inventory, MeasurementSet& out) {
  for (const Device& device : inventory.devices) {
    const BlockDevice& block = device.block;
    if (!device.shown()) continue;
    const char* rotational = "";
    if (block.rotational) rotational = *block.rotational ? "1" : "0";
    out.add(kInfo,
            std::vector<std::string>{printable(block.name), printable(block.disk),
                                     printable(block.model), rotational,
                                     std::string(to_string(block.tier)), printable(block.scheduler),
                                     printable(block.encryption)},
            1);
    out.add(kSize, device.labels, static_cast<double>(block.size_bytes));
  }
}

void add_io_pressure(std::string_view text, MeasurementSet& out) {
  const Labels none = make_labels({});
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const auto total = line.find("total=");
    if (total == std::string_view::npos) continue;
    std::uint64_t microseconds = 0;
    const std::string_view digits = line.substr(total + 6);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), microseconds).ec !=
        std::errc()) {
      continue;
    }
    out.add(line.starts_with("some") ? kWaiting : kStalled, none,
            static_cast<double>(microseconds) / 1e6);
  }
}

std::unique_ptr<Measurer> make_io_measurer(const HostPaths& host) {
  return std::make_unique<IoMeasurer>(host);
}

}  // namespace volumeter
