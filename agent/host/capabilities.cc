#include "host/capabilities.h"

#include <linux/capability.h>

#include <array>
#include <charconv>
#include <cstdint>

#include "host/host.h"

namespace volumeter {
namespace {

constexpr std::array<std::pair<std::string_view, unsigned>, 7> kUseful = {
    {{"BPF", CAP_BPF},
     {"DAC_OVERRIDE", CAP_DAC_OVERRIDE},
     {"DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
     {"PERFMON", CAP_PERFMON},
     {"SYSLOG", CAP_SYSLOG},
     {"SYS_ADMIN", CAP_SYS_ADMIN},
     {"SYS_PTRACE", CAP_SYS_PTRACE}}};

}  // namespace

Capabilities capabilities_in(std::string_view status) {
  constexpr std::string_view kPermitted = "\nCapPrm:\t";
  const auto at = status.find(kPermitted);
  if (at == std::string_view::npos) return {};
  const std::string_view digits = status.substr(at + kPermitted.size());
  std::uint64_t permitted = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), permitted, 16);
  if (error != std::errc()) return {};
  Capabilities granted;
  for (const auto& [name, number] : kUseful) {
    granted.emplace_back(name, (permitted >> number & 1U) != 0);
  }
  return granted;
}

Capabilities granted_capabilities() {
  const auto status = read_file("/proc/self/status");
  return status ? capabilities_in(*status) : Capabilities();
}

}  // namespace volumeter
