#include "volumeter/measurer.h"

namespace volumeter {

const VolumeMetric& LastMeasured::metric() {
  static const VolumeMetric kMetric("last_measured_timestamp_seconds",
                                    "When this measurer last got an answer, in Unix time.",
                                    MetricType::kGauge, {"measurer"});
  return kMetric;
}

void LastMeasured::add(Snapshot& out, std::size_t subject_index, WallTime when) {
  if (inventory_ != out.inventory) {
    inventory_ = out.inventory;
    labels_.assign(inventory_->subjects.size(), nullptr);
  }
  const Subject& subject = inventory_->subjects[subject_index];
  if (subject.hidden) return;
  Labels& labels = labels_[subject_index];
  if (labels == nullptr) {
    std::vector<std::string> values = *subject.labels;
    values.push_back(measurer_);
    labels = make_labels(std::move(values));
  }
  const std::chrono::duration<double> since_epoch = when.time_since_epoch();
  out.measurements.add(metric().for_subject(subject), labels, since_epoch.count());
}

}  // namespace volumeter
