#include "inventory/subjects.h"

#include <map>

#include "host/host.h"
#include "volumeter/measurement.h"

namespace volumeter {
namespace {

std::vector<std::string> labels_of(const Inventory& inventory, const Volume& volume) {
  if (volume.claim) {
    const Claim& claim = inventory.claims[*volume.claim];
    return {printable(claim.namespace_), printable(claim.name)};
  }
  const Pod& pod = inventory.pods[volume.pod];
  // A pod that no source can name is told apart by its uid.
  return {printable(pod.namespace_), printable(pod.name.empty() ? pod.uid : pod.name),
          printable(volume.name), std::string(to_string(volume.kind))};
}

}  // namespace

void add_subjects(Inventory& inventory, bool all_volumes) {
  std::map<std::vector<std::string>, std::size_t> known;
  for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
    const Volume& volume = inventory.volumes[i];
    std::vector<std::string> labels = labels_of(inventory, volume);
    const auto [it, fresh] = known.try_emplace(labels, inventory.subjects.size());
    if (fresh) {
      inventory.subjects.push_back({volume.claim,
                                    {},
                                    make_labels(std::move(labels)),
                                    is_api_object(volume.kind) && !all_volumes,
                                    {}});
    }
    inventory.subjects[it->second].volumes.push_back(i);
  }
}

Labels make_filesystem_labels(const MountEntry& mount, bool inside_pods,
                              const std::string& device) {
  return make_labels({printable(device), inside_pods ? std::string() : printable(mount.mount_point),
                      printable(mount.fstype)});
}

}  // namespace volumeter
