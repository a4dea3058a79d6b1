// What this process may do, beside what its user may.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace volumeter {

// By the name that manifests have it by ("DAC_READ_SEARCH"): whether it has been granted.
using Capabilities = std::vector<std::pair<std::string_view, bool>>;

// Of the capabilities that volumeter has a use for (docs/permissions.md): whether the calling
// process has been granted each. Those that it has given up (workers/sandbox.h) are gone: ask
// before. Empty where /proc isn't mounted.
Capabilities granted_capabilities();

// The same of a process whose /proc/<pid>/status says so.
Capabilities capabilities_in(std::string_view status);

}  // namespace volumeter
