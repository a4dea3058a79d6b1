#include "exposition/rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <tuple>

#include "host/host.h"

namespace volumeter {
namespace {

std::optional<double> age(const Reading& reading, WallTime now) {
  if (!reading.measured_at) return std::nullopt;
  const std::chrono::duration<double> seconds = now - *reading.measured_at;
  return std::max(seconds.count(), 0.0);
}

bool is_read_only(const MountEntry& mount) {
  return mount.mount_read_only || mount.super_read_only;
}

RowState state_of(const Reading& reading, bool read_only) {
  if (reading.responsive == false) return RowState::kHung;
  if (!reading.problem.empty()) return RowState::kError;
  if (read_only) return RowState::kReadOnly;
  return reading.responsive ? RowState::kOk : RowState::kUnknown;
}

Row to_row(const Inventory& inventory, const Volume& volume, const Reading& reading, WallTime now) {
  const Pod& pod = inventory.pods[volume.pod];
  Row row;
  row.namespace_ = printable(pod.namespace_);
  row.pod = printable(pod.name);
  row.pod_uid = printable(pod.uid);
  row.volume = printable(volume.name);
  row.type = to_string(volume.kind);
  row.volume_mode = to_string(volume.mode);
  row.persistent_volume = printable(volume.persistent_volume);
  row.storage_class = printable(volume.storage_class);
  row.csi_driver = printable(volume.csi_driver);
  row.device = printable(volume.device);
  row.fstype = volume.mount ? printable(volume.mount->fstype) : std::string();
  row.path = printable(volume.path);
  row.method = to_string(reading.method);
  row.shares_filesystem = volume.shares_filesystem;
  row.mounted = volume.mounted;
  row.requested = volume.size_limit;
  if (volume.claim) {
    row.claim = printable(inventory.claims[*volume.claim].name);
    row.requested = inventory.claims[*volume.claim].requested_bytes;
  }
  if (reading.usage) row.usage = *reading.usage;
  if (reading.walking && !reading.usage) row.walked_entries = reading.walking->entries;
  row.age_seconds = age(reading, now);
  row.problem = reading.problem;
  if (volume.mount_expected && !volume.mounted) {
    row.state = RowState::kNotMounted;
    row.problem = "nothing is mounted there: what is written lands on the node's disk";
  } else {
    // A volume that shows up in the inventory and has nothing to sample (a block device, a
    // directory of the node's disk) is as it should be.
    row.state = state_of(reading, volume.mount && is_read_only(*volume.mount));
    const bool sampled = answering_target(inventory, volume).has_value();
    if (row.state == RowState::kUnknown && !sampled) row.state = RowState::kOk;
  }
  return row;
}

Row to_row(const Filesystem& filesystem, const Reading& reading, WallTime now) {
  Row row;
  const auto& labels = *filesystem.labels;  // device, mountpoint, fstype
  row.volume = labels[1].empty() ? labels[0] : labels[1];
  row.type = "filesystem";
  row.device = labels[0];
  row.fstype = printable(filesystem.mount.fstype);
  row.path = printable(filesystem.mount.mount_point);
  row.method = to_string(reading.method);
  row.mounted = true;
  if (reading.usage) row.usage = *reading.usage;
  row.age_seconds = age(reading, now);
  row.problem = reading.problem;
  row.state = state_of(reading, is_read_only(filesystem.mount));
  return row;
}

}  // namespace

std::string_view to_string(RowState state) {
  switch (state) {
    case RowState::kOk:
      return "ok";
    case RowState::kUnknown:
      return "unknown";
    case RowState::kReadOnly:
      return "read-only";
    case RowState::kError:
      return "error";
    case RowState::kNotMounted:
      return "not mounted";
    case RowState::kHung:
      return "hung";
  }
  return "unknown";
}

std::vector<Row> to_rows(const Snapshot& snapshot, WallTime now) {
  const Inventory& inventory = *snapshot.inventory;
  std::vector<Row> rows;
  std::vector<const IoActivity*> io(inventory.volumes.size());
  for (std::size_t s = 0; s < inventory.subjects.size(); ++s) {
    for (const std::size_t v : inventory.subjects[s].volumes) {
      if (snapshot.activity[s]) io[v] = &*snapshot.activity[s];
    }
  }
  for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
    rows.push_back(to_row(inventory, inventory.volumes[i], snapshot.volumes[i], now));
    if (io[i] != nullptr) rows.back().io = *io[i];
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.namespace_, a.pod, a.pod_uid, a.volume) <
           std::tie(b.namespace_, b.pod, b.pod_uid, b.volume);
  });
  for (std::size_t i = 0; i < inventory.filesystems.size(); ++i) {
    rows.push_back(to_row(inventory.filesystems[i], snapshot.filesystems[i], now));
  }
  return rows;
}

std::string human_bytes(std::optional<std::uint64_t> bytes) {
  if (!bytes) return "-";
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(*bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  const bool whole = unit == 0 || value >= 100 || value == std::floor(value);
  std::snprintf(text.data(), text.size(), whole ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string bytes_per_second(std::optional<double> bytes) {
  if (!bytes) return "-";
  return human_bytes(static_cast<std::uint64_t>(*bytes));
}

std::string percent(std::optional<double> ratio) {
  if (!ratio) return "-";
  // The small allowance keeps 0.35 from becoming 36 % by rounding error.
  return std::to_string(static_cast<int>(std::ceil(*ratio * 100 - 1e-9))) + "%";
}

std::string human_rate(std::optional<double> per_second) {
  if (!per_second) return "-";
  std::array<char, 32> text{};
  const bool whole = *per_second >= 10 || *per_second == 0;
  std::snprintf(text.data(), text.size(), whole ? "%.0f" : "%.1f", *per_second);
  return text.data();
}

std::string human_wait(const IoActivity& io) {
  return io.wait_cause ? std::string(to_string(*io.wait_cause)) : "-";
}

std::string human_seconds(std::optional<double> seconds) {
  if (!seconds) return "-";
  struct Unit {
    double size;
    const char* name;
  };
  Unit unit{1, "s"};
  if (*seconds < 1) unit = {1e-3, "ms"};
  if (*seconds < 1e-3) unit = {1e-6, "us"};
  std::array<char, 32> text{};
  const double value = *seconds / unit.size;
  std::snprintf(text.data(), text.size(), value < 10 ? "%.1f %s" : "%.0f %s", value, unit.name);
  return text.data();
}

std::string human_age(std::optional<double> seconds) {
  if (!seconds) return "-";
  const auto whole = static_cast<long>(*seconds);
  if (whole < 120) return std::to_string(whole) + "s";
  if (whole < 7200) return std::to_string(whole / 60) + "m";
  return std::to_string(whole / 3600) + "h";
}

}  // namespace volumeter
