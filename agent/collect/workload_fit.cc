#include "collect/workload_fit.h"

#include <utility>

namespace volumeter {
namespace {

using namespace std::chrono_literals;

constexpr auto kWindow = 1h;
constexpr auto kApart = 1min;  // of moments that are kept

const VolumeMetric kFit = {
    "workload_fit",
    "1 when the volume's syncs of the last hour are what its workload asks for, 0 when they are "
    "not; absent without enough of them.",
    MetricType::kGauge,
    {"workload"}};

const WorkloadRule* rule_of(const Inventory& inventory, const Subject& subject) {
  for (const std::size_t i : subject.volumes) {
    const auto* workload = find_annotation(inventory, inventory.volumes[i], "workload");
    if (workload != nullptr) return first_rule(*workload);
  }
  return nullptr;
}

bool went_back(const IoTotals::Buckets& before, const IoTotals::Buckets& after) {
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (i >= before.size() || after[i] < before[i]) return true;
  }
  return false;
}

}  // namespace

std::string wrong_with_workload(const std::string& value) {
  if (first_rule(value) != nullptr) return {};
  std::string allowed;
  for (const std::string& name : workload_names()) allowed += (allowed.empty() ? "" : ", ") + name;
  return "must be one of " + allowed;
}

void WorkloadFit::record(const Inventory& inventory, const std::vector<IoTotals>& totals,
                         Clock::time_point now) {
  auto before = std::exchange(subjects_, {});
  for (std::size_t i = 0; i < inventory.subjects.size(); ++i) {
    const Subject& subject = inventory.subjects[i];
    if (!totals[i].syncs || rule_of(inventory, subject) == nullptr) continue;
    auto known = before.extract(*subject.labels);
    Moments moments = known.empty() ? Moments{} : std::move(known.mapped());
    // Something counts anew: another volume under its name, or programs attached again.
    if (!moments.empty() && went_back(moments.back().syncs, *totals[i].syncs)) moments.clear();
    // The last is always as new as can be.
    if (moments.size() > 1 && moments.back().when - moments[moments.size() - 2].when < kApart) {
      moments.pop_back();
    }
    moments.push_back({now, *totals[i].syncs});
    while (moments.size() > 2 && now - moments[1].when >= kWindow) moments.pop_front();
    subjects_[*subject.labels] = std::move(moments);
  }
}

Fit WorkloadFit::verdict(const WorkloadRule& rule, const Moments& moments) {
  std::uint64_t samples = 0;
  std::uint64_t above = 0;
  const IoTotals::Buckets& before = moments.front().syncs;
  const IoTotals::Buckets& after = moments.back().syncs;
  for (std::size_t i = 0; i < after.size(); ++i) {
    samples += after[i] - before[i];
    const bool slower = i == kIoBounds.size() || kIoBounds[i] > rule.limit;
    if (slower) above += after[i] - before[i];
  }
  return judge(rule, samples, above);
}

void WorkloadFit::report(const Inventory& inventory, MeasurementSet& out) const {
  for (const Subject& subject : inventory.subjects) {
    const auto known = subjects_.find(*subject.labels);
    const WorkloadRule* rule = rule_of(inventory, subject);
    if (known == subjects_.end() || rule == nullptr) continue;
    const Fit fit = verdict(*rule, known->second);
    if (fit == Fit::kInsufficientData) continue;
    out.add(kFit, subject, {std::string(rule->workload)}, fit == Fit::kFit ? 1 : 0);
  }
}

std::vector<const MetricDesc*> WorkloadFit::families() { return {&kFit.claim, &kFit.pod}; }

}  // namespace volumeter
