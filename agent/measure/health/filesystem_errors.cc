#include "measure/health/filesystem_errors.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>

#include "host/block_devices.h"

namespace volumeter {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> read_number(const std::string& path) {
  const auto text = read_file(path);
  return text ? parse_number(*text) : std::nullopt;
}

// As sysfs has it: cciss/c0d0 is cciss!c0d0.
std::string sysfs_name(std::string device) {
  std::replace(device.begin(), device.end(), '/', '!');
  return device;
}

std::optional<std::chrono::sys_seconds> read_time(const std::string& path) {
  const auto seconds = read_number(path);
  if (!seconds || *seconds == 0) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(*seconds));
}

std::optional<FilesystemErrors> read_ext4(const std::string& directory) {
  const auto count = read_number(directory + "/errors_count");
  if (!count) return std::nullopt;
  FilesystemErrors errors;
  errors.counts["error"] = *count;
  if (*count == 0) return errors;
  errors.first = read_time(directory + "/first_error_time");
  errors.last = read_time(directory + "/last_error_time");
  return errors;
}

std::optional<FilesystemErrors> read_btrfs(const std::string& filesystem) {
  FilesystemErrors errors;
  const std::string devices = filesystem + "/devinfo";
  for (const std::string& id : names_in(devices)) {
    const auto text = read_file(devices + "/" + id + "/error_stats");
    if (text) add_btrfs_counts(*text, errors.counts);
  }
  return errors.counts.empty() ? std::nullopt : std::optional(std::move(errors));
}

}  // namespace

std::uint64_t FilesystemErrors::total() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& entry) { return sum + entry.second; });
}

void add_btrfs_counts(std::string_view text, std::map<std::string, std::uint64_t>& counts) {
  constexpr std::string_view kSuffix = "_errs";
  while (!text.empty()) {
    std::string_view line = next_line(text);
    std::string_view name = next_word(line);
    const auto value = parse_number(next_word(line));
    if (!value || !name.ends_with(kSuffix) || name.size() > 32) continue;
    name.remove_suffix(kSuffix.size());
    counts[std::string(name)] += *value;
  }
}

std::optional<FilesystemErrors> read_filesystem_errors(const HostPaths& host,
                                                       const std::string& fstype,
                                                       const std::string& device) {
  const std::string name = sysfs_name(device);
  // ext4's driver serves its ancestors, too.
  if (fstype.starts_with("ext")) return read_ext4(host.sysfs + "/fs/ext4/" + name);
  if (fstype != "btrfs") return std::nullopt;
  const std::string all = host.sysfs + "/fs/btrfs";
  for (const std::string& id : names_in(all)) {
    const std::string one = all + "/" + id;
    const auto devices = names_in(one + "/devices");
    if (std::find(devices.begin(), devices.end(), name) != devices.end()) return read_btrfs(one);
  }
  return std::nullopt;
}

}  // namespace volumeter
