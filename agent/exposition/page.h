// The status page: plain HTML, readable without scripts, network or dashboards. The script only
// keeps it fresh.
#pragma once

#include <string>
#include <vector>

#include "exposition/page_table.h"

namespace volumeter {

struct PageOptions {
  std::string node;
  std::string metrics_path = "/metrics";
  std::string name_space;  // only its volumes; empty: all
};

std::string to_page(const Snapshot& snapshot, const std::vector<Row>& rows,
                    const PageOptions& options);

}  // namespace volumeter
