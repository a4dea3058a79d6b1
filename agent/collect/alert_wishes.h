// What volumes' owners wish of alerts, by annotation: metrics that the rules in alerts/ join. Pure
// functions of the inventory.
#pragma once

#include <string>
#include <vector>

#include "volumeter/inventory.h"
#include "volumeter/measurement.h"

namespace volumeter {

// What annotations may say; empty text means that the value makes sense.
//   volumeter.io/alerts           on, off. The label excluded_from_alerts=true is off, too
//   volumeter.io/usage-warning    from how full on, bytes or inodes: "85%" or "0.85"
//   volumeter.io/usage-critical   the same
//   volumeter.io/sync-p99         how long the 99th percentile of syncs may take: a duration
std::string wrong_with_alert_wish(const std::string& name, const std::string& value);
const std::vector<std::string>& alert_wish_names();

// Nothing for those who wish nothing.
void report_alert_wishes(const Inventory& inventory, MeasurementSet& out);
std::vector<const MetricDesc*> alert_wish_families();

}  // namespace volumeter
