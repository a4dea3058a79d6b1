// The identities under which numbers are published.
#pragma once

#include "volumeter/inventory.h"

namespace volumeter {

// Groups inventory.volumes into inventory.subjects. No two subjects get the same labels.
// Those of API objects are hidden unless `all_volumes`.
void add_subjects(Inventory& inventory, bool all_volumes);

// {device, mountpoint, fstype}; the mount point is left empty where it would name a pod.
Labels make_filesystem_labels(const MountEntry& mount, bool inside_pods, const std::string& device);

}  // namespace volumeter
