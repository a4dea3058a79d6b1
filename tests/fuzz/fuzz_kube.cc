// The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kube/metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  using namespace volumeter;
  switch (data[0]) {
    case 'p':
      if (auto pods = parse_pod_list(text)) {
        for (const auto& pod : *pods) {
          if (pod.pod.uid.empty()) __builtin_trap();
        }
      }
      break;
    case 'c':
      if (auto claim = parse_claim(text); claim && claim->claim.name.empty()) __builtin_trap();
      break;
    case 'v':
      if (auto pv = parse_persistent_volume(text); pv && pv->name.empty()) __builtin_trap();
      break;
    case 's':
      (void)parse_storage_class(text).ok();
      break;
    default:
      (void)parse_quantity(text);
  }
  return 0;
}
