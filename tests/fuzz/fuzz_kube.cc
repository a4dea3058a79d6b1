// The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kube/kubelet_health.h"
#include "kube/parse.h"

namespace {

// A stream, line by line, as PodSource reads it.
void watch(std::string_view stream) {
  while (!stream.empty()) {
    const auto end = stream.find('\n');
    const auto event = volumeter::parse_pod_event(stream.substr(0, end));
    using Type = volumeter::PodEvent::Type;
    if (event && (event->type == Type::kChanged || event->type == Type::kDeleted) &&
        event->pod.pod.uid.empty()) {
      __builtin_trap();
    }
    if (end == std::string_view::npos) return;
    stream.remove_prefix(end + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  using namespace volumeter;
  switch (data[0]) {
    case 'p':
      if (auto pods = parse_pod_list(text)) {
        for (const auto& pod : pods->pods) {
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
    case 'w':
      watch(text);
      break;
    case 'n':
      if (auto space = parse_namespace(text); space && space->name.empty()) __builtin_trap();
      break;
    case 'h':
      (void)parse_kubelet_health(text);
      break;
    case 's':
      (void)parse_storage_class(text).ok();
      break;
    default:
      (void)parse_quantity(text);
  }
  return 0;
}
