// Is it mounted, is it the right thing, can it be written?
#pragma once

#include <set>
#include <string>
#include <vector>

#include "volumeter/measurer.h"
#include "volumeter/snapshot.h"

namespace volumeter {

std::vector<const MetricDesc*> mount_state_families();

// Adds each subject's series, and to each volume what is wrong with its mount. `emergencies`:
// devices of ext4 filesystems that let nobody write since an error, beside those whose mounts say
// so.
void add_mount_state(Snapshot& snapshot, const std::set<std::string>& emergencies = {});

}  // namespace volumeter
