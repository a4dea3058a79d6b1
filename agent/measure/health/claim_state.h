// Who uses a claim, against who may: its access modes, and a StatefulSet's ordinals.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "volumeter/measurer.h"
#include "volumeter/snapshot.h"

namespace volumeter {

std::vector<const MetricDesc*> claim_state_families();

// Adds each claim's series, and findings to its volumes.
void add_claim_state(Snapshot& snapshot);

// The ordinal of the pod that the claim was made for, from its name
// (kubernetes: pkg/controller/statefulset/stateful_set_utils.go, getPersistentVolumeClaimName:
// <template>-<set>-<ordinal>). Absent for claims that no template of `set` made.
std::optional<int> ordinal_of_claim(const std::string& claim, const std::string& set);

}  // namespace volumeter
