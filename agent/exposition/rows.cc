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

RowState state_of(const Finding& finding) {
  switch (finding.kind) {
    case FindingKind::kNotMounted:
      return RowState::kNotMounted;
    case FindingKind::kWrongMount:
      return RowState::kWrongMount;
    case FindingKind::kReadOnly:
      return RowState::kReadOnly;
    case FindingKind::kSharing:
      return RowState::kOk;
    default:
      return RowState::kWarning;
  }
}

void set_state(const Reading& reading, Row& row) {
  row.problem = reading.problem;
  row.findings = reading.findings;
  for (Finding& finding : row.findings) finding.text = printable(finding.text);
  std::stable_sort(row.findings.begin(), row.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.kind > b.kind; });
  row.state = reading.responsive ? RowState::kOk : RowState::kUnknown;
  if (!reading.problem.empty()) row.state = RowState::kError;
  for (const Finding& finding : row.findings) row.state = std::max(row.state, state_of(finding));
  if (reading.responsive == false) row.state = RowState::kHung;
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
  set_state(reading, row);
  // A volume that shows up in the inventory and has nothing to sample (a block device, a directory
  // of the node's disk) is as it should be.
  const bool there = volume.mounted || !volume.mount_expected;
  const bool sampled = answering_target(inventory, volume).has_value();
  if (row.state == RowState::kUnknown && there && !sampled) row.state = RowState::kOk;
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
  set_state(reading, row);
  if (row.state < RowState::kReadOnly && filesystem.mount.read_only()) {
    row.state = RowState::kReadOnly;
  }
  return row;
}

}  // namespace

std::string_view to_string(RowState state) {
  switch (state) {
    case RowState::kOk:
      return "ok";
    case RowState::kUnknown:
      return "unknown";
    case RowState::kWarning:
      return "warning";
    case RowState::kReadOnly:
      return "read-only";
    case RowState::kError:
      return "error";
    case RowState::kWrongMount:
      return "wrong mount";
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

bool belongs(const Row& row, const std::string& name_space) {
  return name_space.empty() || row.namespace_ == name_space || row.type == "filesystem";
}

std::string_view describe(Orphan::Kind kind) {
  switch (kind) {
    case Orphan::Kind::kPodDirectory:
      return "the directory of a pod that is gone";
    case Orphan::Kind::kMount:
      return "a mount without a pod";
    case Orphan::Kind::kStaging:
      return "a staged volume that no pod uses";
    case Orphan::Kind::kLoopDevice:
      return "a loop device that nothing is on";
  }
  return "";
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
