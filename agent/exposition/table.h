// Rows as text for terminals.
#pragma once

#include <string>
#include <vector>

#include "exposition/rows.h"

namespace volumeter {

// `wide` adds where each volume lies and how it is measured. Ends with a line for each row that
// has a problem, saying which.
std::string to_table(const std::vector<Row>& rows, bool wide);

// A line for each, the oldest first; empty when there is none.
std::string to_lines(const std::vector<OrphanReading>& orphans, WallTime now);

}  // namespace volumeter
