// Which volumes the pods of this node have, and what they are called: the kubelet's directories
// joined with the pods' specs. Mounts come later.
#pragma once

#include "inventory/inventory_builder.h"

namespace volumeter {

// Fills pods, claims and volumes (without mount, target, filesystem and device).
// `dirs[i]` is the directory that inventory.volumes[i] was found by, or null.
void add_pod_volumes(const InventoryInput& input, Inventory& inventory,
                     std::vector<const PodVolumeDir*>& dirs);

}  // namespace volumeter
