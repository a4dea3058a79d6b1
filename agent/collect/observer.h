// Looks at the node: mount table, kubelet's directories, names. Turns what it sees into an
// inventory, when something has changed. Never touches a volume's path. Event-loop thread only.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "inventory/inventory_builder.h"
#include "kube/metadata_source.h"
#include "volumeter/snapshot.h"

namespace volumeter {

class Observer {
 public:
  // `all_volumes`: publish the volumes of API objects too (--metrics.all-volumes).
  Observer(HostPaths host, MetadataSource& metadata, bool all_volumes);

  // Reads what may have changed. True when the inventory did. What can't be read keeps its last
  // state; sources() says so.
  bool observe();

  // Never null; empty before the first observe().
  [[nodiscard]] std::shared_ptr<const Inventory> inventory() const { return inventory_; }
  [[nodiscard]] std::vector<SourceState> sources() const;
  [[nodiscard]] std::vector<RequestStats> requests() const;

  // Pods are held back because their names are still on the way.
  [[nodiscard]] bool waiting_for_names() const { return !unnamed_since_.empty() && withheld_; }
  // Observe again soon: names are on the way, or a directory may be about to follow its mount.
  [[nodiscard]] bool unsettled() const { return waiting_for_names() || mounts_changed_; }

 private:
  void note(SourceState& source, const Status& status);
  bool read_mounts();
  bool read_kubelet();
  bool read_logs();
  bool read_metadata();
  bool read_devices();
  void withhold_unnamed(KubeletTree& tree);
  void warn_of_annotations();

  const HostPaths host_;
  MetadataSource& metadata_;
  KubeletScanner scanner_;
  BlockDeviceReader device_reader_;
  std::chrono::steady_clock::time_point scanned_;
  std::string mountinfo_;  // the text that input_.mounts was parsed from
  KubeletTree tree_;       // as scanned, with pods that wait for their names
  std::shared_ptr<const MetadataState> names_;
  InventoryInput input_;
  std::shared_ptr<const Inventory> inventory_;
  SourceState mounts_source_{"mountinfo", false, {}, "not read yet"};
  SourceState kubelet_source_{"kubelet-directory", false, {}, "not read yet"};
  SourceState logs_source_{"podlogs", false, {}, "not read yet"};
  std::map<std::string, std::chrono::steady_clock::time_point> unnamed_since_;  // by pod uid
  std::set<std::string> shown_;      // pods that have been published, under whatever name
  std::set<std::string> warned_of_;  // annotations that make no sense, with their volumes
  bool withheld_ = false;
  bool mounts_changed_ = false;  // in the last observe()
};

}  // namespace volumeter
