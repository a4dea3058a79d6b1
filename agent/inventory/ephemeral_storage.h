// What counts against each pod's ephemeral-storage limit.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "inventory/inventory_builder.h"

namespace volumeter {

// Fills inventory.ephemeral for the pods that are known and running. `directory` gives the target
// of a path on the host.
void add_ephemeral_storage(
    const InventoryInput& input, Inventory& inventory,
    const std::function<std::optional<std::size_t>(const std::string&)>& directory);

}  // namespace volumeter
