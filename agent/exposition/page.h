// The status page: plain HTML, readable without scripts, network or dashboards.
#pragma once

#include <string>
#include <vector>

#include "exposition/rows.h"

namespace volumeter {

std::string to_page(const Snapshot& snapshot, const std::vector<Row>& rows, const std::string& node,
                    const std::string& metrics_path = "/metrics");

// Text for HTML content and attribute values.
std::string html_escape(std::string_view text);

}  // namespace volumeter
