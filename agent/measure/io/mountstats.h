// What the kernel's NFS client says of its mounts: <procfs>/1/mountstats (kernel:
// fs/proc_namespace.c, show_vfsstat; fs/nfs/super.c, nfs_show_stats; net/sunrpc/stats.c,
// rpc_clnt_show_stats). Kernel memory: no server is asked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "volumeter/measurer.h"

namespace volumeter {

// Of one kind of RPC. Times are sums over its requests.
struct NfsOperation {
  std::uint64_t requests = 0;
  std::uint64_t transmissions = 0;  // more than there are requests: some were sent again
  std::uint64_t queue_ms = 0;       // from the call to its transmission
  std::uint64_t response_ms = 0;    // from the transmission to the answer: the round trip
  std::uint64_t request_ms = 0;     // from the call to its end

  void add(const NfsOperation& other);
};

// By the name of the RPC: "READ".
using NfsOperations = std::map<std::string, NfsOperation>;

// By mount point, octal escapes decoded. Lines that don't parse cost only themselves.
std::map<std::string, NfsOperations> parse_mountstats(std::string_view text);

// What each claim, or else each share that claims have in common, has called. Operations that
// claims rarely wait for are summed up as "OTHER".
void add_nfs(std::string_view mountstats, const Inventory& inventory, MeasurementSet& out);

// Whether there is anything to look for.
bool has_nfs(const Inventory& inventory);

std::vector<const MetricDesc*> nfs_families();

}  // namespace volumeter
