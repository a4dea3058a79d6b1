// Numbers as people read them: in tables, on the page and in sentences.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace volumeter {

// "35 MiB", "1.2 TiB"; "-" when absent.
std::string human_bytes(std::optional<std::uint64_t> bytes);

}  // namespace volumeter
