#include <cstddef>
#include <cstdint>
#include <string>

#include "kubelet/kubelet_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)volumeter::parse_vol_data(std::string(reinterpret_cast<const char*>(data), size)).ok();
  return 0;
}
