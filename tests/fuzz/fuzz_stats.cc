// What the kernel counts, as text: /proc/diskstats, /proc/partitions and mountstats.
#include <cstddef>
#include <cstdint>
#include <string>

#include "host/block_devices.h"
#include "host/pod_cgroups.h"
#include "measure/io/diskstats.h"
#include "measure/io/mountstats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace volumeter;
  const std::string text(reinterpret_cast<const char*>(data), size);
  Inventory inventory;
  for (const auto& [number, block] : parse_partitions(text)) {
    inventory.devices.push_back({block, {}, true, {}, make_labels({block.name})});
  }
  for (const auto& counters : read_diskstats(text, inventory)) {
    if (counters && counters->count > counters->values.size()) __builtin_trap();
  }
  for (const auto& [where, operations] : parse_mountstats(text)) {
    Volume volume;
    volume.mount.emplace().mount_point = where;
    volume.mount->fstype = "nfs";
    volume.mount->device = {0, static_cast<unsigned>(inventory.volumes.size())};
    Subject subject;
    subject.volumes = {inventory.volumes.size()};
    subject.labels = make_labels({"n", "p", "v", "t"});
    inventory.volumes.push_back(volume);
    inventory.subjects.push_back(subject);
  }
  MeasurementSet out;
  add_nfs(text, inventory, out);
  (void)pod_uid_of_cgroup(text);
  return 0;
}
