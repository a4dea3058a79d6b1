// The file of results that an earlier agent left: any bytes, and what is read is written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "collect/walk_store.h"
#include "measure/usage/deleted_scan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace volumeter;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto walks = parse_walks(text, "b")) {
    const auto again = parse_walks(format_walks(*walks, "b"), "b");
    if (!again || again->size() != walks->size()) std::abort();
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> message(bytes, bytes + size);
  if (const auto places = decode_places(message)) {
    if (encode_places(*places) != message) std::abort();
  }
  (void)decode_answer(message).ok();
  return 0;
}
