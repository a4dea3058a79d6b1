// The vocabulary of numbers: what a metric is, and the values of one moment.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "volumeter/inventory.h"

namespace volumeter {

enum class MetricType { kGauge, kCounter, kHistogram };

// Declared as a constant beside the code that measures it. `help` is one line without
// backslashes: the serializer doesn't escape it.
struct MetricDesc {
  std::string name;
  std::string help;
  MetricType type = MetricType::kGauge;
  std::vector<std::string> labels;
};

// The two families of a per-volume metric: `volumeter_volume_<suffix>` for volumes with a known
// claim and `volumeter_pod_volume_<suffix>` for the others.
struct VolumeMetric {
  VolumeMetric(const std::string& suffix, const std::string& help,
               MetricType type = MetricType::kGauge, const std::vector<std::string>& extra = {});
  // The same under `volumeter_<group>_` and `volumeter_pod_<group>_`.
  struct Name {
    std::string group;
    std::string suffix;
  };
  VolumeMetric(const Name& name, const std::string& help, MetricType type = MetricType::kGauge,
               const std::vector<std::string>& extra = {});
  [[nodiscard]] const MetricDesc& for_subject(const Subject& subject) const {
    return subject.claim ? claim : pod;
  }

  MetricDesc claim;
  MetricDesc pod;
};

// Upper bounds in seconds of every histogram of I/O times.
inline constexpr std::array<double, 14> kIoBounds = {
    .00002, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2, 10};

// Of block devices: without the first and the last, which no decision needs. 90 series a claim are
// the budget.
inline constexpr std::span<const double> kDeviceIoBounds =
    std::span(kIoBounds).subspan(1, kIoBounds.size() - 2);

// Observations counted in buckets. Not thread-safe.
class Histogram {
 public:
  // Upper bounds, ascending, without +Inf. They must outlive the histogram: a constant.
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}
  // What somebody else has counted: one count more than there are bounds.
  Histogram(std::span<const double> bounds, std::vector<std::uint64_t> counts, double sum)
      : bounds_(bounds), counts_(std::move(counts)), sum_(sum) {}

  void observe(double value);

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  // Per bucket, not cumulative; the last is above every bound.
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  [[nodiscard]] double sum() const { return sum_; }

  bool operator==(const Histogram& other) const {
    return sum_ == other.sum_ && counts_ == other.counts_;
  }

 private:
  std::span<const double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

struct Series {
  Labels labels;
  double value = 0;                            // of a gauge or counter
  std::shared_ptr<const Histogram> histogram;  // of a histogram; else null

  bool operator==(const Series& other) const {
    return value == other.value && (labels == other.labels || *labels == *other.labels) &&
           (histogram == other.histogram ||
            (histogram != nullptr && other.histogram != nullptr && *histogram == *other.histogram));
  }
};

// One metric with all its series. A family's desc outlives every MeasurementSet.
struct Family {
  const MetricDesc* desc = nullptr;
  std::vector<Series> series;
};

// Measurements of one moment, grouped by family in order of first use. Not thread-safe while
// it is filled; immutable afterwards.
class MeasurementSet {
 public:
  void add(const MetricDesc& desc, Labels labels, double value);
  void add(const MetricDesc& desc, std::vector<std::string> labels, double value);
  void add(const MetricDesc& desc, Labels labels, std::shared_ptr<const Histogram> histogram);
  // A subject's series; `extra` label values follow the subject's own.
  void add(const VolumeMetric& metric, const Subject& subject, double value);
  void add(const VolumeMetric& metric, const Subject& subject,
           const std::vector<std::string>& extra, double value);
  void add(const VolumeMetric& metric, const Subject& subject,
           const std::vector<std::string>& extra, std::shared_ptr<const Histogram> histogram);

  [[nodiscard]] const std::vector<Family>& families() const { return families_; }

 private:
  Family& family(const MetricDesc& desc);

  std::vector<Family> families_;
  std::unordered_map<const MetricDesc*, std::size_t> index_;
};

// Label values from plain strings.
Labels make_labels(std::vector<std::string> values);

}  // namespace volumeter
