#include "volumeter/measurer.h"

namespace volumeter {

const VolumeMetric kLastMeasured("last_measured_timestamp_seconds",
                                 "When this measurer last got an answer, in Unix time.",
                                 MetricType::kGauge, {"measurer"});

void add_last_measured(MeasurementSet& out, const Subject& subject, std::string_view measurer,
                       WallTime when) {
  const std::chrono::duration<double> since_epoch = when.time_since_epoch();
  out.add(kLastMeasured, subject, {std::string(measurer)}, since_epoch.count());
}

}  // namespace volumeter
