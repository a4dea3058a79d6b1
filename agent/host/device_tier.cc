#include "host/device_tier.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace volumeter {
namespace {

template <std::size_t N>
bool starts_with_any(std::string_view text, const std::array<std::string_view, N>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

// Cloud disks that pass for local ones.
constexpr std::array<std::string_view, 6> kNetworkModels = {"Amazon Elastic Block Store",
                                                            "nvme_card-pd",
                                                            "PersistentDisk",
                                                            "MSFT NVMe Accelerator",
                                                            "Alibaba Cloud Elastic Block Storage",
                                                            "BlockVolume"};
// A hypervisor's disk says nothing of what is beneath.
constexpr std::array<std::string_view, 5> kVirtualVendors = {"QEMU", "VMware", "Msft", "VBOX",
                                                             "Virtual"};

// Through iSCSI (drivers/scsi/scsi_transport_iscsi.c) or Fibre Channel (scsi_transport_fc.c).
bool is_on_a_storage_network(std::string_view path) {
  return path.find("/session") != std::string_view::npos ||
         path.find("/rport-") != std::string_view::npos;
}

}  // namespace

Tier tier_of(const DeviceFacts& facts) {
  const std::string_view name = facts.name;
  if (name.starts_with("loop")) return Tier::kLoop;
  if (starts_with_any(name, std::array<std::string_view, 4>{"zram", "ram", "pmem", "brd"})) {
    return Tier::kMemory;
  }
  if (starts_with_any(name, std::array<std::string_view, 3>{"rbd", "nbd", "drbd"})) {
    return Tier::kNetwork;
  }
  if (starts_with_any(name, std::array<std::string_view, 4>{"vd", "xvd", "sr", "ublk"})) {
    return Tier::kUnknown;
  }
  const bool fabric = std::any_of(
      facts.transports.begin(), facts.transports.end(), [](const std::string& transport) {
        return transport == "tcp" || transport == "rdma" || transport == "fc";
      });
  if (fabric || is_on_a_storage_network(facts.path) ||
      starts_with_any(std::string_view(facts.model), kNetworkModels)) {
    return Tier::kNetwork;
  }
  if (starts_with_any(std::string_view(facts.vendor), kVirtualVendors) ||
      facts.model.starts_with("QEMU")) {
    return Tier::kUnknown;
  }
  if (name.starts_with("mmcblk")) return Tier::kSsd;
  if (!facts.rotational) return Tier::kUnknown;
  return *facts.rotational ? Tier::kHdd : Tier::kSsd;
}

}  // namespace volumeter
