// Rows as JSON; the schema is docs/volumes.schema.json.
#pragma once

#include <string>
#include <vector>

#include "exposition/rows.h"

namespace volumeter {

// Unknown values are absent, never null. Numbers are bytes, counts, ratios and seconds.
std::string to_json(const Snapshot& snapshot, const std::vector<Row>& rows);

}  // namespace volumeter
