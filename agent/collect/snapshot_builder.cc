#include "collect/snapshot_builder.h"

#include "collect/inventory_metrics.h"
#include "collect/self_metrics.h"

namespace volumeter {

MeasurementSet describe_inventory(const Measurers& measurers, const Inventory& inventory,
                                  const std::set<std::string>& disabled) {
  MeasurementSet out;
  for (const auto& measurer : measurers) {
    const auto* sampled = dynamic_cast<const SampledMeasurer*>(measurer.get());
    if (sampled == nullptr || disabled.contains(std::string(sampled->name()))) continue;
    sampled->describe(inventory, out);
  }
  add_inventory_metrics(inventory, out);
  return out;
}

std::shared_ptr<Snapshot> build_snapshot(const Measurers& measurers, const SnapshotInput& input) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->inventory = input.inventory;
  snapshot->volumes.resize(input.inventory->volumes.size());
  snapshot->filesystems.resize(input.inventory->filesystems.size());
  snapshot->trees = input.trees;
  snapshot->trees.resize(input.inventory->targets.size());
  snapshot->deleted = input.deleted;
  snapshot->deleted.resize(input.inventory->targets.size());
  snapshot->activity = input.activity;
  snapshot->activity.resize(input.inventory->subjects.size());
  snapshot->sources = input.sources;
  snapshot->taken_at = input.now;
  snapshot->measurements = input.described != nullptr
                               ? *input.described
                               : describe_inventory(measurers, *input.inventory);
  for (std::size_t i = 0; i < measurers.size(); ++i) {
    auto* sampled = dynamic_cast<SampledMeasurer*>(measurers[i].get());
    if (sampled != nullptr && !input.states[i].empty()) sampled->report(input.states[i], *snapshot);
  }
  add_target_metrics(input.states, *snapshot);
  add_sources(snapshot->measurements, input.sources);
  for (LiveMeasurer* live : live_measurers(measurers, input.disabled)) live->judge(*snapshot);
  return snapshot;
}

}  // namespace volumeter
