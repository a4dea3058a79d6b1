// What was left behind on the node: directories without pods, mounts without either, volumes staged
// for nobody, loop devices that nothing is on.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "inventory/inventory_builder.h"
#include "inventory/mount_index.h"

namespace volumeter {

// Fills Inventory::orphans; after volumes and devices. `directory` gives the target of a directory
// of the node's disk.
void find_orphans(const InventoryInput& input, const MountIndex& mounts,
                  const std::function<std::optional<std::size_t>(const std::string&)>& directory,
                  Inventory& inventory);

}  // namespace volumeter
