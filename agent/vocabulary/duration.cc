#include "volumeter/duration.h"

#include <algorithm>
#include <map>

namespace volumeter {

namespace {
constexpr std::int64_t kLongest = std::int64_t{366} * 86'400'000;
}  // namespace

Result<std::chrono::milliseconds> parse_duration(const std::string& text) {
  const Error bad{"\"" + text +
                  "\" is not a duration; allowed are numbers with ms, s, m, h, d: "
                  "500ms, 15s, 1h30m"};
  static const std::map<std::string, std::int64_t> kUnits = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  std::int64_t total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto digits = text.find_first_not_of("0123456789", at);
    if (digits == at || digits == std::string::npos || digits - at > 9) return bad;
    const auto end = std::min(text.find_first_of("0123456789", digits), text.size());
    const auto unit = kUnits.find(text.substr(digits, end - digits));
    if (unit == kUnits.end()) return bad;
    total += std::stoll(text.substr(at, digits - at)) * unit->second;
    if (total > kLongest) return Error{"\"" + text + "\" is longer than 366d"};
    at = end;
  }
  if (total <= 0) return bad;
  return std::chrono::milliseconds(total);
}

}  // namespace volumeter
