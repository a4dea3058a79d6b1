#include "measure/health/error_report.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <numeric>

#include "measure/health/filesystem_errors.h"

namespace volumeter {
namespace {

using std::chrono::hours;

// One quantity, as a volume's series and as a filesystem's.
struct Metric {
  Metric(const std::string& suffix, const std::string& help, MetricType type,
         const std::vector<std::string>& extra)
      : volume("filesystem_" + suffix, help, type, extra),
        filesystem{
            "volumeter_filesystem_" + suffix, help, type, {"device", "mountpoint", "fstype"}} {
    filesystem.labels.insert(filesystem.labels.end(), extra.begin(), extra.end());
  }
  VolumeMetric volume;
  MetricDesc filesystem;
};

const Metric kErrors("errors_total",
                     "Errors that the filesystem has counted: ext4's since it was last repaired, "
                     "btrfs' by kind, since they were last reset.",
                     MetricType::kCounter, {"kind"});
const Metric kFirst("first_error_timestamp_seconds",
                    "When ext4 found the first of its errors, in Unix time; absent without any.",
                    MetricType::kGauge, {});
const Metric kLast("last_error_timestamp_seconds",
                   "When ext4 found the last of its errors, in Unix time; absent without any.",
                   MetricType::kGauge, {});
const VolumeMetric kMessages("kernel_messages_total",
                             "Lines of the kernel's log that tell of errors of the volume's disk, "
                             "filesystem or server, since the agent started.",
                             MetricType::kCounter);
const MetricDesc kDeviceMessages = {"volumeter_block_device_kernel_messages_total",
                                    "The same of a device that no volume has to itself.",
                                    MetricType::kCounter,
                                    {"device"}};
const MetricDesc kAllMessages = {"volumeter_kernel_messages_total",
                                 "Lines of the kernel's log that tell of errors of storage, by "
                                 "kind, since the agent started.",
                                 MetricType::kCounter,
                                 {"kind"}};
const MetricDesc kFollowed = {"volumeter_kernel_log_followed",
                              "1 if the kernel's log can be read, 0 if it may not be: the agent's "
                              "log says why.",
                              MetricType::kGauge,
                              {}};
const MetricDesc kLost = {"volumeter_kernel_messages_lost_total",
                          "Lines of the kernel's log that were overwritten before the agent could "
                          "read them.",
                          MetricType::kCounter,
                          {}};

std::uint64_t sum(const KernelMessageCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::string time_text(WallTime when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  std::array<char, 32> text{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::string text_of(const KernelLogCounts::Source& source) {
  std::string kinds;
  for (std::size_t i = 0; i < kKernelMessageKinds; ++i) {
    if (source.counts[i] == 0) continue;
    kinds += (kinds.empty() ? "" : ", ") + std::string(to_string(KernelMessageKind(i))) + " " +
             std::to_string(source.counts[i]);
  }
  return "the kernel's log tells of errors: " + kinds + "; the last at " + time_text(source.last);
}

std::string text_of(const std::string& fstype, const FilesystemErrors& errors) {
  std::string kinds;
  for (const auto& [kind, count] : errors.counts) {
    if (count == 0) continue;
    kinds += (kinds.empty() ? "" : ", ") + kind + " " + std::to_string(count);
  }
  std::string text = fstype + " has counted errors: " + kinds;
  if (errors.last) text += "; the last at " + time_text(*errors.last);
  return text;
}

double unix_seconds(std::chrono::sys_seconds when) {
  return static_cast<double>(when.time_since_epoch().count());
}

// The volume that stands for a subject that has a filesystem to itself.
const Volume* own_filesystem(const Inventory& inventory, const Subject& subject) {
  for (const std::size_t i : subject.volumes) {
    const Volume& volume = inventory.volumes[i];
    if (volume.mount && !volume.shares_filesystem && !volume.device.empty()) return &volume;
  }
  return nullptr;
}

// `put(metric, extra labels, value)`
template <class Put>
void add_filesystem(const FilesystemErrors& errors, const Put& put) {
  for (const auto& [kind, count] : errors.counts) {
    put(kErrors, std::vector<std::string>{kind}, static_cast<double>(count));
  }
  if (errors.first) put(kFirst, std::vector<std::string>{}, unix_seconds(*errors.first));
  if (errors.last) put(kLast, std::vector<std::string>{}, unix_seconds(*errors.last));
}

}  // namespace

void add_errors(const HostPaths& host, const Inventory& inventory, const KernelLogCounts* counts,
                const MessageTotals* totals, MeasurementSet& out) {
  for (const Subject& subject : inventory.subjects) {
    if (subject.hidden) continue;
    if (const Volume* volume = own_filesystem(inventory, subject)) {
      const auto errors = read_filesystem_errors(host, volume->mount->fstype, volume->device);
      if (errors) {
        add_filesystem(*errors, [&](const Metric& metric, const auto& extra, double value) {
          out.add(metric.volume, subject, extra, value);
        });
      }
    }
    if (totals == nullptr) continue;
    if (const auto messages = totals->of(subject.labels)) {
      out.add(kMessages, subject, static_cast<double>(sum(messages->counts)));
    }
  }
  for (const Filesystem& filesystem : inventory.filesystems) {
    const auto errors =
        read_filesystem_errors(host, filesystem.mount.fstype, filesystem.labels->front());
    if (!errors) continue;
    add_filesystem(*errors, [&](const Metric& metric, const auto& extra, double value) {
      std::vector<std::string> labels = *filesystem.labels;
      labels.insert(labels.end(), extra.begin(), extra.end());
      out.add(metric.filesystem, std::move(labels), value);
    });
  }
  out.add(kFollowed, std::vector<std::string>{}, counts != nullptr ? 1 : 0);
  if (counts == nullptr || totals == nullptr) return;
  for (const Device& device : inventory.devices) {
    if (device.sole_user || !device.used) continue;
    const auto messages = totals->of(device.labels);
    if (messages)
      out.add(kDeviceMessages, device.labels, static_cast<double>(sum(messages->counts)));
  }
  for (std::size_t i = 0; i < kKernelMessageKinds; ++i) {
    out.add(kAllMessages, std::vector<std::string>{std::string(to_string(KernelMessageKind(i)))},
            static_cast<double>(counts->all[i]));
  }
  out.add(kLost, std::vector<std::string>{}, static_cast<double>(counts->lost));
}

void find_errors(const HostPaths& host, const MessageTotals* totals, Snapshot& snapshot) {
  const Inventory& inventory = *snapshot.inventory;
  const auto find_filesystem = [&](const std::string& fstype, const std::string& device,
                                   Reading& reading) {
    const auto errors = read_filesystem_errors(host, fstype, device);
    if (errors && errors->total() > 0) {
      reading.findings.push_back({FindingKind::kFilesystemErrors, text_of(fstype, *errors)});
    }
  };
  for (const Subject& subject : inventory.subjects) {
    const auto messages = totals == nullptr ? std::nullopt : totals->of(subject.labels);
    const bool news =
        messages && sum(messages->counts) > 0 && snapshot.taken_at - messages->last < hours(1);
    for (const std::size_t v : subject.volumes) {
      const Volume& volume = inventory.volumes[v];
      if (volume.mount && !volume.shares_filesystem) {
        find_filesystem(volume.mount->fstype, volume.device, snapshot.volumes[v]);
      }
      if (news) {
        snapshot.volumes[v].findings.push_back({FindingKind::kKernelMessages, text_of(*messages)});
      }
    }
  }
  for (std::size_t i = 0; i < inventory.filesystems.size(); ++i) {
    const Filesystem& filesystem = inventory.filesystems[i];
    find_filesystem(filesystem.mount.fstype, filesystem.labels->front(), snapshot.filesystems[i]);
  }
}

std::vector<const MetricDesc*> error_families() {
  std::vector<const MetricDesc*> all = {&kDeviceMessages, &kAllMessages,    &kFollowed,
                                        &kLost,           &kMessages.claim, &kMessages.pod};
  for (const Metric* metric : {&kErrors, &kFirst, &kLast}) {
    all.insert(all.end(), {&metric->volume.claim, &metric->volume.pod, &metric->filesystem});
  }
  return all;
}

}  // namespace volumeter
