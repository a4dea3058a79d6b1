// Records of the kernel's log and what filesystems count, as text.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "measure/health/claim_state.h"
#include "measure/health/filesystem_errors.h"
#include "measure/health/kernel_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace volumeter;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::map<std::string, std::uint64_t> counts;
  add_btrfs_counts(rest, counts);
  (void)ordinal_of_claim(std::string(rest), "set");
  KernelMessageParser parser;
  while (!rest.empty()) {  // a NUL between records
    const auto end = rest.find('\0');
    const auto record = parse_kmsg_record(rest.substr(0, end));
    if (record && mounted_ext4(*record).size() > 128) __builtin_trap();
    const auto message = record ? parser.next(*record) : std::nullopt;
    if (message && message->device.size() > 128) __builtin_trap();
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return 0;
}
