// From Config to the options of each part; shared by the subcommands.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "collect/collector.h"
#include "config/config.h"
#include "kube/metadata_source.h"

namespace volumeter {

// What makes it pointless to start: a message that names it, or nothing.
std::optional<std::string> check_host(const Config& config);

std::string node_name(const Config& config);
MetadataOptions metadata_options(const Config& config);
CollectorOptions collector_options(const Config& config);

}  // namespace volumeter
