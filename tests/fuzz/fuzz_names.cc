// printable(): whatever goes in, what comes out is printable UTF-8 and stays as it is.
#include <cstddef>
#include <cstdint>
#include <string>

#include "host/block_devices.h"
#include "host/host.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string once = volumeter::printable(text);
  if (volumeter::printable(once) != once) __builtin_trap();
  for (const char c : once) {
    if (static_cast<unsigned char>(c) < 0x20) __builtin_trap();
  }
  volumeter::parse_partitions(text);
  return 0;
}
