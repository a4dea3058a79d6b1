#include "measure/usage/usage.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace volumeter {
namespace {

const VolumeMetric kCapacity("stats_capacity_bytes", "Size of the volume in bytes.");
const VolumeMetric kAvailable("stats_available_bytes",
                              "Bytes an unprivileged process can still write.");
const VolumeMetric kUsed("stats_used_bytes", "Bytes in use.");
const VolumeMetric kInodes("stats_inodes", "Number of inodes.");
const VolumeMetric kInodesFree("stats_inodes_free", "Number of free inodes.");
const VolumeMetric kInodesUsed("stats_inodes_used", "Number of used inodes.");
const VolumeMetric kRatio(
    "usage_ratio", "How full the volume is, 0 to 1: used/(used+available), as df computes it.");
const VolumeMetric kInodesRatio("inodes_usage_ratio", "Share of the inodes in use, 0 to 1.");
const VolumeMetric kMethod("usage_method",
                           "1 for the method that measures this volume's usage: statfs, or none "
                           "where it shares a filesystem or is a block device.",
                           MetricType::kGauge, {"method"});

MetricDesc filesystem_metric(const std::string& suffix, const std::string& help) {
  return {"volumeter_filesystem_" + suffix,
          help,
          MetricType::kGauge,
          {"device", "mountpoint", "fstype"}};
}
const MetricDesc kFsCapacity = filesystem_metric("capacity_bytes", "Size in bytes.");
const MetricDesc kFsAvailable =
    filesystem_metric("available_bytes", "Bytes an unprivileged process can still write.");
const MetricDesc kFsUsed = filesystem_metric("used_bytes", "Bytes in use.");
const MetricDesc kFsInodes = filesystem_metric("inodes", "Number of inodes.");
const MetricDesc kFsInodesFree = filesystem_metric("inodes_free", "Number of free inodes.");
const MetricDesc kFsInodesUsed = filesystem_metric("inodes_used", "Number of used inodes.");
const MetricDesc kFsRatio =
    filesystem_metric("usage_ratio", "How full it is, 0 to 1: used/(used+available).");
const MetricDesc kFsInodesRatio =
    filesystem_metric("inodes_usage_ratio", "Share of the inodes in use, 0 to 1.");

int sample(int fd, SampleAnswer& answer) {
  struct statfs st {};
  if (::fstatfs(fd, &st) != 0) return errno;
  answer.store(
      StatfsPayload{st.f_blocks, st.f_bfree, st.f_bavail,
                    static_cast<std::uint64_t>(st.f_frsize != 0 ? st.f_frsize : st.f_bsize),
                    st.f_files, st.f_ffree, static_cast<std::uint64_t>(st.f_flags)});
  return 0;
}

std::optional<std::uint64_t> bytes(std::uint64_t blocks, std::uint64_t size) {
  std::uint64_t product = 0;
  if (size == 0 || __builtin_mul_overflow(blocks, size, &product)) return std::nullopt;
  return product;
}

template <class Metric>
struct UsageMetrics {
  const Metric &capacity, &available, &used, &inodes, &inodes_free, &inodes_used, &ratio,
      &inodes_ratio;
};

template <class Add>
void add_usage(const Usage& usage, Add&& add) {
  const auto number = [&](const auto& metric, std::optional<std::uint64_t> value) {
    if (value) add(metric, static_cast<double>(*value));
  };
  const auto& m = add.metrics;
  number(m.capacity, usage.capacity);
  number(m.available, usage.available);
  number(m.used, usage.used);
  number(m.inodes, usage.inodes);
  number(m.inodes_free, usage.inodes_free);
  number(m.inodes_used, usage.inodes_used);
  if (const auto ratio = usage.ratio()) add(m.ratio, *ratio);
  if (const auto ratio = usage.inodes_ratio()) add(m.inodes_ratio, *ratio);
}

struct AddToSubject {
  MeasurementSet& out;
  const Subject& subject;
  UsageMetrics<VolumeMetric> metrics{kCapacity,   kAvailable,  kUsed,  kInodes,
                                     kInodesFree, kInodesUsed, kRatio, kInodesRatio};
  void operator()(const VolumeMetric& metric, double value) const {
    out.add(metric, subject, value);
  }
};

struct AddToFilesystem {
  MeasurementSet& out;
  const Labels& labels;
  UsageMetrics<MetricDesc> metrics{kFsCapacity,   kFsAvailable,  kFsUsed,  kFsInodes,
                                   kFsInodesFree, kFsInodesUsed, kFsRatio, kFsInodesRatio};
  void operator()(const MetricDesc& metric, double value) const { out.add(metric, labels, value); }
};

class UsageMeasurer final : public SampledMeasurer {
 public:
  [[nodiscard]] std::string_view name() const override { return "usage"; }

  [[nodiscard]] std::vector<const MetricDesc*> families() const override {
    std::vector<const MetricDesc*> all = {&kFsCapacity, &kFsAvailable,  &kFsUsed,
                                          &kFsInodes,   &kFsInodesFree, &kFsInodesUsed,
                                          &kFsRatio,    &kFsInodesRatio};
    for (const VolumeMetric* metric : {&kCapacity, &kAvailable, &kUsed, &kInodes, &kInodesFree,
                                       &kInodesUsed, &kRatio, &kInodesRatio, &kMethod}) {
      all.push_back(&metric->claim);
      all.push_back(&metric->pod);
    }
    return all;
  }

  [[nodiscard]] SampleFunction function() const override { return sample; }

  // Every one: shared filesystems too, because the answer says that the volume responds.
  [[nodiscard]] std::vector<std::size_t> targets(const Inventory& inventory) const override {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < inventory.targets.size(); ++i) all.push_back(i);
    return all;
  }

  void describe(const Inventory& inventory, MeasurementSet& out) const override {
    for (const Subject& subject : inventory.subjects) {
      if (subject.hidden) continue;
      const bool alone =
          std::any_of(subject.volumes.begin(), subject.volumes.end(), [&](std::size_t i) {
            return inventory.volumes[i].target && !inventory.volumes[i].shares_filesystem;
          });
      const UsageMethod method = alone ? UsageMethod::kStatfs : UsageMethod::kNone;
      out.add(kMethod, subject, {std::string(to_string(method))}, 1);
    }
  }

  void report(const std::vector<const TargetState*>& states, Snapshot& out) override {
    const Inventory& inventory = *out.inventory;
    for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
      read_volume(inventory.volumes[i], states, out.volumes[i]);
    }
    for (std::size_t i = 0; i < inventory.filesystems.size(); ++i) {
      const Filesystem& filesystem = inventory.filesystems[i];
      read(states[filesystem.target], out.filesystems[i]);
      if (out.filesystems[i].usage) {
        add_usage(*out.filesystems[i].usage, AddToFilesystem{out.measurements, filesystem.labels});
      }
    }
    for (std::size_t i = 0; i < inventory.subjects.size(); ++i) report_subject(i, out);
  }

 private:
  static void read(const TargetState* state, Reading& reading) {
    if (state == nullptr || !state->answer) return;
    const auto statfs = state->answer->load<StatfsPayload>();
    reading.method = UsageMethod::kStatfs;
    reading.usage = to_usage(statfs);
    reading.read_only = (statfs.flags & ST_RDONLY) != 0;
    reading.measured_at = state->answered_at;
  }

  static void read_volume(const Volume& volume, const std::vector<const TargetState*>& states,
                          Reading& reading) {
    if (volume.mode == VolumeMode::kBlock) {
      if (volume.device_bytes) reading.usage.emplace().capacity = volume.device_bytes;
    } else if (volume.target && !volume.shares_filesystem) {
      read(states[*volume.target], reading);
    }
  }

  // Several pods can use one claim: the first volume that has an answer speaks for it.
  void report_subject(std::size_t index, Snapshot& out) {
    const Subject& subject = out.inventory->subjects[index];
    const Reading* answer = nullptr;
    for (const std::size_t i : subject.volumes) {
      if (answer == nullptr && out.volumes[i].usage) answer = &out.volumes[i];
    }
    if (answer != nullptr) add_usage(*answer->usage, AddToSubject{out.measurements, subject});
    if (answer != nullptr && answer->measured_at) {
      last_measured_.add(out, index, *answer->measured_at);
    }
  }

  LastMeasured last_measured_{"usage"};
};

}  // namespace

Usage to_usage(const StatfsPayload& st) {
  Usage usage;
  usage.capacity = bytes(st.blocks, st.fragment_size);
  if (!usage.capacity) return usage;
  if (st.blocks_available <= st.blocks) {
    usage.available = bytes(st.blocks_available, st.fragment_size);
  }
  if (st.blocks_free <= st.blocks) {
    usage.used = bytes(st.blocks - st.blocks_free, st.fragment_size);
  }
  if (st.files == 0 || st.files == std::numeric_limits<std::uint64_t>::max()) return usage;
  usage.inodes = st.files;
  if (st.files_free > st.files) return usage;
  usage.inodes_free = st.files_free;
  usage.inodes_used = st.files - st.files_free;
  return usage;
}

std::unique_ptr<Measurer> make_usage_measurer() { return std::make_unique<UsageMeasurer>(); }

}  // namespace volumeter
