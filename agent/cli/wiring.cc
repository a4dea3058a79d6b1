#include "cli/wiring.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "mounts/mount_table.h"

namespace volumeter {

namespace {
// A walk's call may sleep for as many times as long as statfs may: its reads wait while anybody
// else wants the disk.
constexpr int kWalkPatience = 15;

ProbeMode probe_mode(Probing probing) {
  switch (probing) {
    case Probing::kOff:
      return ProbeMode::kOff;
    case Probing::kAnnotated:
      return ProbeMode::kAnnotated;
    case Probing::kAuto:
      return ProbeMode::kAuto;
  }
  return ProbeMode::kOff;
}

bool measures_usage(const Config& config) { return !config.disabled_measurers.contains("usage"); }
}  // namespace

std::optional<std::string> check_host(const Config& config) {
  const UniqueFd root(::open(config.host.rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return Error::from_errno("--path.rootfs: open " + config.host.rootfs, errno).message;
  if (auto mounts = read_mountinfo(config.host); !mounts) {
    return "--path.procfs: " + mounts.error().message +
           " (the host's mount table needs hostPID and CAP_DAC_READ_SEARCH, or root)";
  }
  return std::nullopt;
}

std::string node_name(const Config& config) {
  if (!config.node_name.empty()) return config.node_name;
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

MetadataOptions metadata_options(const Config& config) {
  MetadataOptions options;
  options.api.url = config.api_url;
  options.api.token_file = config.token_file;
  options.api.ca_file = config.ca_file;
  options.kubelet = options.api;
  options.kubelet.url = config.kubelet_url;
  options.kubelet.insecure_tls = config.kubelet_insecure_tls;
  options.pods.node_name = node_name(config);
  options.leases.namespace_ = config.lease_namespace;
  options.leases.holder = node_name(config);
  options.walks = config.walk && measures_usage(config);
  return options;
}

CollectorOptions collector_options(const Config& config) {
  CollectorOptions options;
  options.all_volumes = config.all_volumes;
  options.sampler.workers.program.rootfs = config.host.rootfs;
  options.sampler.workers.deadline = config.worker_deadline;
  options.sampler.interval = config.interval;
  options.walker.workers.program.rootfs = config.host.rootfs;
  options.walker.enabled = config.walk && measures_usage(config);
  options.walker.workers.deadline = config.worker_deadline * kWalkPatience;
  options.walker.interval = config.walk_interval;
  options.walker.state_dir = config.state_dir;
  options.sampler.stale_after =
      std::chrono::duration_cast<std::chrono::seconds>(config.stale_after);
  options.sampler.disabled = config.disabled_measurers;
  options.deleted.enabled = config.deleted_open && measures_usage(config);
  options.tracer.disabled = config.disabled_measurers;
  options.deleted.interval = std::min<std::chrono::milliseconds>(
      std::max<std::chrono::milliseconds>(std::chrono::minutes(1), config.interval),
      4 * config.interval);
  options.prober.mode = probe_mode(config.probing);
  options.prober.interval = config.probe_interval;
  options.prober.burst_interval = config.burst_interval;
  options.prober.late = config.worker_deadline;
  options.prober.workers.program.rootfs = config.host.rootfs;
  options.prober.procfs = config.host.procfs;
  options.walker.stale_after = options.deleted.stale_after = options.sampler.stale_after;
  return options;
}

}  // namespace volumeter
