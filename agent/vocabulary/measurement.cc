#include "volumeter/measurement.h"

#include <algorithm>
#include <utility>

#include "volumeter/snapshot.h"

namespace volumeter {
namespace {

std::vector<std::string> concat(std::vector<std::string> head,
                                const std::vector<std::string>& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

}  // namespace

Labels make_labels(std::vector<std::string> values) {
  return std::make_shared<const std::vector<std::string>>(std::move(values));
}

VolumeMetric::VolumeMetric(const std::string& suffix, const std::string& help, MetricType type,
                           const std::vector<std::string>& extra)
    : VolumeMetric(Name{"volume", suffix}, help, type, extra) {}

VolumeMetric::VolumeMetric(const Name& name, const std::string& help, MetricType type,
                           const std::vector<std::string>& extra)
    : claim{"volumeter_" + name.group + "_" + name.suffix, help, type,
            concat({"namespace", "persistentvolumeclaim"}, extra)},
      pod{"volumeter_pod_" + name.group + "_" + name.suffix,
          help + " For a volume without a known claim.", type,
          concat({"namespace", "pod", "volume", "type"}, extra)} {}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
}

Family& MeasurementSet::family(const MetricDesc& desc) {
  const auto [it, fresh] = index_.try_emplace(&desc, families_.size());
  if (fresh) families_.push_back({&desc, {}});
  return families_[it->second];
}

void MeasurementSet::add(const MetricDesc& desc, Labels labels, double value) {
  family(desc).series.push_back({std::move(labels), value, nullptr});
}

void MeasurementSet::add(const MetricDesc& desc, Labels labels,
                         std::shared_ptr<const Histogram> histogram) {
  family(desc).series.push_back({std::move(labels), 0, std::move(histogram)});
}

void MeasurementSet::add(const MetricDesc& desc, std::vector<std::string> labels, double value) {
  add(desc, make_labels(std::move(labels)), value);
}

void MeasurementSet::add(const VolumeMetric& metric, const Subject& subject, double value) {
  if (!subject.hidden) add(metric.for_subject(subject), subject.labels, value);
}

void MeasurementSet::add(const VolumeMetric& metric, const Subject& subject,
                         const std::vector<std::string>& extra, double value) {
  if (!subject.hidden) add(metric.for_subject(subject), concat(*subject.labels, extra), value);
}

void MeasurementSet::add(const VolumeMetric& metric, const Subject& subject,
                         const std::vector<std::string>& extra,
                         std::shared_ptr<const Histogram> histogram) {
  if (subject.hidden) return;
  add(metric.for_subject(subject), make_labels(concat(*subject.labels, extra)),
      std::move(histogram));
}

namespace {

std::optional<double> quotient(std::optional<std::uint64_t> part,
                               std::optional<std::uint64_t> rest) {
  if (!part || !rest || *part + *rest == 0) return std::nullopt;
  return static_cast<double>(*part) / (static_cast<double>(*part) + static_cast<double>(*rest));
}

}  // namespace

std::optional<double> Usage::ratio() const {
  if (available || !used || capacity.value_or(0) == 0) return quotient(used, available);
  return static_cast<double>(*used) / static_cast<double>(*capacity);
}
std::optional<double> Usage::inodes_ratio() const { return quotient(inodes_used, inodes_free); }

std::string_view to_string(FindingKind kind) {
  switch (kind) {
    case FindingKind::kExpansion:
      return "expansion";
    case FindingKind::kSharing:
      return "sharing";
    case FindingKind::kAccess:
      return "access";
    case FindingKind::kIdentity:
      return "identity";
    case FindingKind::kDriver:
      return "driver";
    case FindingKind::kKernelMessages:
      return "kernel_messages";
    case FindingKind::kDeviceErrors:
      return "device_errors";
    case FindingKind::kFilesystemErrors:
      return "filesystem_errors";
    case FindingKind::kReadOnly:
      return "read_only";
    case FindingKind::kWrongMount:
      return "wrong_mount";
    case FindingKind::kNotMounted:
      return "not_mounted";
  }
  return "unknown";
}

std::string_view to_string(UsageMethod method) {
  switch (method) {
    case UsageMethod::kNone:
      return "none";
    case UsageMethod::kStatfs:
      return "statfs";
    case UsageMethod::kStatfsProject:
      return "statfs-project";
    case UsageMethod::kQuota:
      return "quota";
    case UsageMethod::kCephRbytes:
      return "ceph-rbytes";
    case UsageMethod::kWalk:
      return "walk";
  }
  return "none";
}

}  // namespace volumeter
