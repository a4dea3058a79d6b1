// Is what is mounted the right thing? What each volume's mount is held against: the
// PersistentVolume's own words, the kubelet's vol_data.json, the mount that the volume was staged
// by, and the other volumes.
#pragma once

#include "inventory/inventory_builder.h"
#include "inventory/mount_index.h"

namespace volumeter {

// Fills Volume::promises of those that are mounted. `dirs` as add_pod_volumes() left it.
void check_mount_promises(const InventoryInput& input, const MountIndex& mounts,
                          const std::vector<const PodVolumeDir*>& dirs, Inventory& inventory);

}  // namespace volumeter
