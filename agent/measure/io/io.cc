#include "measure/io/io.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace volumeter {
namespace {

MetricDesc device_metric(const std::string& suffix, const std::string& help,
                         MetricType type = MetricType::kCounter) {
  return {"volumeter_block_device_io_" + suffix, help, type, {"device"}};
}

constexpr double kSector = 512;         // bytes, whatever the device's own sector size
constexpr double kMillisecond = 0.001;  // seconds

struct Field {
  MetricDesc desc;
  double scale;
};

// In the order of the columns after the device's name.
const std::array<Field, 17> kFields = {{
    {device_metric("reads_completed_total", "Reads completed."), 1},
    {device_metric("reads_merged_total", "Reads merged."), 1},
    {device_metric("read_bytes_total", "Bytes read."), kSector},
    {device_metric("read_time_seconds_total", "Seconds spent by all reads."), kMillisecond},
    {device_metric("writes_completed_total", "Writes completed."), 1},
    {device_metric("writes_merged_total", "Writes merged."), 1},
    {device_metric("written_bytes_total", "Bytes written."), kSector},
    {device_metric("write_time_seconds_total", "Seconds spent by all writes."), kMillisecond},
    {device_metric("io_now", "Operations in flight.", MetricType::kGauge), 1},
    {device_metric("io_time_seconds_total", "Seconds with any operation in flight."), kMillisecond},
    {device_metric("io_time_weighted_seconds_total", "Seconds in flight, summed over operations."),
     kMillisecond},
    {device_metric("discards_completed_total", "Discards completed."), 1},
    {device_metric("discards_merged_total", "Discards merged."), 1},
    {device_metric("discarded_bytes_total", "Bytes discarded."), kSector},
    {device_metric("discard_time_seconds_total", "Seconds spent by all discards."), kMillisecond},
    {device_metric("flush_requests_total", "Flushes completed."), 1},
    {device_metric("flush_requests_time_seconds_total", "Seconds spent by all flushes."),
     kMillisecond},
}};

const MetricDesc kWaiting = {"volumeter_pressure_io_waiting_seconds_total",
                             "Seconds in which some task of the node waited for I/O (PSI).",
                             MetricType::kCounter,
                             {}};
const MetricDesc kStalled = {"volumeter_pressure_io_stalled_seconds_total",
                             "Seconds in which all tasks of the node waited for I/O (PSI).",
                             MetricType::kCounter,
                             {}};

std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return line = {};
  const auto end = std::min(line.find(' ', begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

class IoMeasurer final : public LiveMeasurer {
 public:
  explicit IoMeasurer(HostPaths host) : host_(std::move(host)) {}

  [[nodiscard]] std::string_view name() const override { return "io"; }

  [[nodiscard]] std::vector<const MetricDesc*> families() const override {
    std::vector<const MetricDesc*> all = {&kWaiting, &kStalled};
    for (const Field& field : kFields) all.push_back(&field.desc);
    return all;
  }

  Status measure(const Inventory& inventory, MeasurementSet& out) override {
    auto text = read_file(host_.procfs + "/diskstats");
    if (!text) return text.error();
    // The kubelet attaches one with each block volume.
    const bool any_block =
        std::any_of(inventory.volumes.begin(), inventory.volumes.end(),
                    [](const Volume& volume) { return volume.mode == VolumeMode::kBlock; });
    add_diskstats(*text, any_block ? phantom_loop_devices(host_) : std::set<std::string>(), out);
    // Absent where the kernel has PSI off: no series, no error.
    if (auto pressure = read_file(host_.procfs + "/pressure/io")) add_io_pressure(*pressure, out);
    return Done{};
  }

 private:
  HostPaths host_;
};

}  // namespace

void add_diskstats(std::string_view text, const std::set<std::string>& leave_out,
                   MeasurementSet& out) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    next_word(line);  // major
    next_word(line);  // minor
    const std::string device(next_word(line));
    if (device.empty() || device.starts_with("ram") || leave_out.contains(device)) continue;
    std::array<double, kFields.size()> values{};
    std::size_t count = 0;
    for (std::string_view word = next_word(line); !word.empty() && count < values.size();
         word = next_word(line)) {
      std::uint64_t value = 0;
      if (std::from_chars(word.data(), word.data() + word.size(), value).ec != std::errc()) break;
      values[count] = static_cast<double>(value) * kFields[count].scale;
      ++count;
    }
    // A loop device that was never used says nothing.
    if (device.starts_with("loop") && values[0] + values[4] == 0) continue;
    const Labels labels = make_labels({printable(device)});
    for (std::size_t i = 0; i < count; ++i) out.add(kFields[i].desc, labels, values[i]);
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

std::set<std::string> phantom_loop_devices(const HostPaths& host) {
  std::set<std::string> phantoms;
  UniqueFd directory(::open((host.sysfs + "/block").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return phantoms;
  const Status listed = list_directory(std::move(directory), [&](const DirectoryEntry& entry) {
    if (!entry.name.starts_with("loop")) return;
    auto backing = read_file(host.sysfs + "/block/" + entry.name + "/loop/backing_file");
    if (backing && backing->find("/volumeDevices/") != std::string::npos) {
      phantoms.insert(entry.name);
    }
  });
  if (!listed) phantoms.clear();
  return phantoms;
}

std::unique_ptr<Measurer> make_io_measurer(const HostPaths& host) {
  return std::make_unique<IoMeasurer>(host);
}

}  // namespace volumeter
