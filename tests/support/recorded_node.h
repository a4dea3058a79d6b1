// The recorded node (tests/fixtures/recorded-node): a real single-node Kubernetes with local and
// CSI volumes of every kind. Its kubelet's tree is laid out again as real directories, links and
// files, and scanned by the code under test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "collect/snapshot_builder.h"
#include "inventory/inventory_builder.h"

namespace volumeter::test {

std::string read_fixture(const std::string& name);  // below tests/fixtures
// Compares with a checked-in file; UPDATE_GOLDEN=1 in the environment writes it instead. Returns
// what differs, or nothing.
std::string diff_golden(const std::string& name, const std::string& actual);

class RecordedNode {
 public:
  RecordedNode();
  ~RecordedNode();
  RecordedNode(const RecordedNode&) = delete;
  RecordedNode& operator=(const RecordedNode&) = delete;

  [[nodiscard]] HostPaths host() const;
  // Everything known: mounts, tree, names from the API server and from the logs' directories.
  [[nodiscard]] InventoryInput input() const;
  // What statfs answered at each target, as if just measured at `now`.
  [[nodiscard]] SnapshotInput measured(std::shared_ptr<const Inventory> inventory,
                                       const Measurers& measurers, WallTime now);

 private:
  std::string directory_;
  std::vector<std::unique_ptr<TargetState>> states_;
};

}  // namespace volumeter::test
