#include "collect/snapshot_builder.h"

#include "collect/inventory_metrics.h"
#include "collect/self_metrics.h"

namespace volumeter {

std::shared_ptr<Snapshot> build_snapshot(const Measurers& measurers, const SnapshotInput& input) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->inventory = input.inventory;
  snapshot->volumes.resize(input.inventory->volumes.size());
  snapshot->filesystems.resize(input.inventory->filesystems.size());
  snapshot->sources = input.sources;
  snapshot->taken_at = input.now;
  for (std::size_t i = 0; i < measurers.size(); ++i) {
    const auto* sampled = dynamic_cast<const SampledMeasurer*>(measurers[i].get());
    if (sampled != nullptr) sampled->report(input.states[i], *snapshot);
  }
  add_inventory_metrics(*input.inventory, snapshot->measurements);
  add_target_metrics(input.states, *snapshot);
  add_sources(snapshot->measurements, input.sources);
  return snapshot;
}

}  // namespace volumeter
