// Inventory and states to Snapshot: pure, so that recorded nodes can be tested end to end.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "measure/all.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// The part of a snapshot that stays while the inventory does.
// `disabled` measurers are left out.
MeasurementSet describe_inventory(const Measurers& measurers, const Inventory& inventory,
                                  const std::set<std::string>& disabled = {});

struct SnapshotInput {
  std::shared_ptr<const Inventory> inventory;
  const MeasurementSet* described = nullptr;  // describe_inventory's answer; null: ask it
  // Per measurer, parallel to inventory->targets; an empty list for live measurers. Last, the
  // walker's.
  std::vector<std::vector<const TargetState*>> states;
  // Parallel to inventory->targets; empty: none is known.
  std::vector<TreeUse> trees;
  std::vector<std::optional<DeletedOpen>> deleted;
  std::vector<std::optional<IoActivity>> activity;  // parallel to inventory->subjects; or empty
  std::vector<SourceState> sources;
  std::set<std::string> disabled;  // names of measurers that don't run
  WallTime now;
};

std::shared_ptr<Snapshot> build_snapshot(const Measurers& measurers, const SnapshotInput& input);

}  // namespace volumeter
