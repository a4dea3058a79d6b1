// The status page's tables: a row a volume, every text escaped.
#pragma once

#include <string>
#include <vector>

#include "exposition/rows.h"

namespace volumeter {

// HTML elements; `attributes` and `inner` are HTML already.
std::string tag(const std::string& name, const std::string& attributes, const std::string& inner);
std::string css_class(const std::string& name);
// Text for HTML content and attribute values.
std::string html_escape(std::string_view text);

// `title` names the table to screen readers, `first` its first column.
std::string page_table(const std::string& title, const std::string& first,
                       const std::vector<const Row*>& rows);
// What was left behind.
std::string page_orphans(const Snapshot& snapshot);

}  // namespace volumeter
