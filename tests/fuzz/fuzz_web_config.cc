// Whatever stands in a web configuration, it is taken or refused with its line.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "web/web_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = volumeter::parse_web_config(text, "/etc/web.yml");
  if (!config && config.error().message.rfind("/etc/web.yml:", 0) != 0) std::abort();
  if (config && config->tls && config->tls->certificate.empty()) std::abort();
  return 0;
}
