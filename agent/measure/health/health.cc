#include "measure/health/health.h"

#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "measure/health/claim_state.h"
#include "measure/health/error_report.h"
#include "measure/health/expansion.h"
#include "measure/health/kernel_log.h"
#include "measure/health/mount_state.h"
#include "measure/health/orphan_watch.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

class HealthMeasurer final : public LiveMeasurer {
 public:
  HealthMeasurer(const HostPaths& host, std::chrono::milliseconds orphans_after)
      : host_(host), log_(host), orphans_(orphans_after) {}

  [[nodiscard]] std::string_view name() const override { return "health"; }

  [[nodiscard]] std::vector<const MetricDesc*> families() const override {
    std::vector<const MetricDesc*> all;
    for (const auto& some :
         {mount_state_families(), claim_state_families(), ExpansionWatch::families(),
          OrphanWatch::families(), error_families()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }

  void prepare() override {
    if (const Status opened = log_.open(); !opened) {
      log(LogLevel::kWarn, "the kernel's log can't be followed: its messages aren't counted",
          {{"error", opened.error().message}});
    }
  }

  void set_inventory(const std::shared_ptr<const Inventory>& inventory) override {
    log_.start();
    const auto counts = log_.counts();
    const std::lock_guard lock(mutex_);
    if (counts) totals_.follow(inventory, *counts);
  }

  Status measure(const Inventory& inventory, MeasurementSet& out) override {
    const auto counts = log_.counts();
    const std::lock_guard lock(mutex_);
    if (counts) totals_.update(*counts);
    add_errors(host_, inventory, counts ? &*counts : nullptr, counts ? &totals_ : nullptr, out);
    return Done{};
  }

  void judge(Snapshot& snapshot) override {
    const auto counts = log_.counts();
    add_mount_state(snapshot, counts ? counts->read_only : std::set<std::string>());
    add_claim_state(snapshot);
    expansions_.add(snapshot);
    orphans_.add(snapshot);
    const std::lock_guard lock(mutex_);
    if (counts) totals_.update(*counts);
    find_errors(host_, counts ? &totals_ : nullptr, snapshot);
  }

 private:
  const HostPaths host_;
  KernelLog log_;
  ExpansionWatch expansions_;
  OrphanWatch orphans_;
  std::mutex mutex_;  // totals_: measure() runs on the HTTP thread
  MessageTotals totals_;
};

}  // namespace

std::unique_ptr<Measurer> make_health_measurer(const HostPaths& host,
                                               std::chrono::milliseconds orphans_after) {
  return std::make_unique<HealthMeasurer>(host, orphans_after);
}

}  // namespace volumeter
