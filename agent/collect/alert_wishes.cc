#include "collect/alert_wishes.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "volumeter/duration.h"

namespace volumeter {
namespace {

const VolumeMetric kExcluded("alerts_excluded",
                             "1 if the volume's owner wants no alerts for it; else absent.");
const VolumeMetric kUsage("usage_threshold_ratio",
                          "From how full on the volume's owner wants an alert, of bytes or "
                          "inodes, 0 to 1; absent where the rules' own thresholds hold.",
                          MetricType::kGauge, {"severity"});
const VolumeMetric kSync("sync_latency_threshold_seconds",
                         "How long the 99th percentile of syncs may take, as the volume's owner "
                         "says; else absent.");

constexpr const char* kWrongShare = R"(must be more than 0% and at most 100%, as "85%" or "0.85")";

std::optional<double> share_of(std::string text) {
  const bool percent = text.ends_with('%');
  if (percent) text.pop_back();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (percent) value /= 100;
  return value > 0 && value <= 1 ? std::optional(value) : std::nullopt;
}

// The first of a claim's volumes that says so: their claim, namespace and StorageClass are the
// same, their pods may differ.
const std::string* wish(const Inventory& inventory, const Subject& subject,
                        const std::string& name) {
  for (const std::size_t i : subject.volumes) {
    const std::string* value = find_annotation(inventory, inventory.volumes[i], name);
    if (value != nullptr && wrong_with_alert_wish(name, *value).empty()) return value;
  }
  return nullptr;
}

}  // namespace

const std::vector<std::string>& alert_wish_names() {
  static const std::vector<std::string> kNames = {"alerts", "usage-warning", "usage-critical",
                                                  "sync-p99"};
  return kNames;
}

std::string wrong_with_alert_wish(const std::string& name, const std::string& value) {
  if (name == "alerts") return value == "on" || value == "off" ? "" : R"(must be "on" or "off")";
  if (name != "sync-p99") return share_of(value) ? "" : kWrongShare;
  const auto limit = parse_duration(value);
  if (!limit) return limit.error().message;
  return limit->count() > 0 ? "" : "must be more than 0";
}

void report_alert_wishes(const Inventory& inventory, MeasurementSet& out) {
  for (const Subject& subject : inventory.subjects) {
    const std::string* alerts = wish(inventory, subject, "alerts");
    if (alerts != nullptr && *alerts == "off") out.add(kExcluded, subject, 1);
    for (const std::string severity : {"warning", "critical"}) {
      if (const std::string* usage = wish(inventory, subject, "usage-" + severity)) {
        out.add(kUsage, subject, {severity}, share_of(*usage).value());
      }
    }
    if (const std::string* sync = wish(inventory, subject, "sync-p99")) {
      const std::chrono::duration<double> limit = parse_duration(*sync).value();
      out.add(kSync, subject, limit.count());
    }
  }
}

std::vector<const MetricDesc*> alert_wish_families() {
  return {&kExcluded.claim, &kExcluded.pod, &kUsage.claim, &kUsage.pod, &kSync.claim, &kSync.pod};
}

}  // namespace volumeter
