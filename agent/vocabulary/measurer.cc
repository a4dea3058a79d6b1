#include "volumeter/measurer.h"

namespace volumeter {

const VolumeMetric& LastMeasured::metric() {
  static const VolumeMetric kMetric("last_measured_timestamp_seconds",
                                    "When this measurer last got an answer, in Unix time.",
                                    MetricType::kGauge, {"measurer"});
  return kMetric;
}

Labels ExtendedLabels::get(const std::shared_ptr<const Inventory>& inventory, std::size_t subject,
                           std::string_view value) {
  if (inventory_ != inventory) {
    inventory_ = inventory;
    labels_.assign(inventory_->subjects.size(), nullptr);
  }
  Labels& labels = labels_[subject];
  if (labels == nullptr || labels->back() != value) {
    std::vector<std::string> values = *inventory_->subjects[subject].labels;
    values.emplace_back(value);
    labels = make_labels(std::move(values));
  }
  return labels;
}

void LastMeasured::add(Snapshot& out, std::size_t subject_index, WallTime when) {
  const Subject& subject = out.inventory->subjects[subject_index];
  if (subject.hidden) return;
  const std::chrono::duration<double> since_epoch = when.time_since_epoch();
  out.measurements.add(metric().for_subject(subject),
                       labels_.get(out.inventory, subject_index, measurer_), since_epoch.count());
}

}  // namespace volumeter
