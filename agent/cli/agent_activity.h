// What a running agent of this node knows of the last minute.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "exposition/rows.h"

namespace volumeter {

// Asks the agent on --web.listen-address, for at most a second, and fills in Row::io. Without an
// agent there the rows stay as they are.
void add_agents_activity(const Config& config, std::vector<Row>& rows);

// The same from the agent's JSON (docs/volumes.schema.json); what doesn't fit it is left out.
void add_activity(std::string_view json, std::vector<Row>& rows);

}  // namespace volumeter
