#include <cstddef>
#include <cstdint>
#include <string>

#include "mounts/mount_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& entry : volumeter::parse_mountinfo(text).table) {
    if (entry.mount_point.find('\0') != std::string::npos) __builtin_trap();
  }
  return 0;
}
