// Expansions that hang half-way: the claim asks for more than there is.
//
// An expansion goes through three hands (KEP-1790, KEP-1710; kubernetes:
// pkg/volume/util/operationexecutor): the controller makes the volume larger and says so in the
// PersistentVolume, the node's device grows, and the kubelet or the driver makes the filesystem
// fill it and says so in the claim's status.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "volumeter/measurer.h"
#include "volumeter/snapshot.h"

namespace volumeter {

enum class ExpansionStage { kController, kNode, kFilesystem };

// What is known of one claim's sizes, in bytes.
struct Sizes {
  std::optional<std::uint64_t> requested;
  std::optional<std::uint64_t> granted;     // the claim's status
  std::optional<std::uint64_t> volume;      // the PersistentVolume's capacity
  std::optional<std::uint64_t> device;      // of its own
  std::optional<std::uint64_t> filesystem;  // likewise, as statfs says
  std::uint64_t inodes = 0;                 // that the filesystem has room for
};

struct PendingExpansion {
  std::uint64_t bytes = 0;                             // 0: nothing is pending
  ExpansionStage stage = ExpansionStage::kController;  // of what is pending
};

// Absent where what is requested, or all that there is, isn't known.
std::optional<PendingExpansion> pending_expansion(const Sizes& sizes);

// Knows since when what is pending waits where it does. Event-loop thread.
class ExpansionWatch {
 public:
  static std::vector<const MetricDesc*> families();

  // Adds series, and findings to the volumes.
  void add(Snapshot& snapshot);

 private:
  struct Waiting {
    ExpansionStage stage;
    WallTime since;
  };
  std::map<std::vector<std::string>, Waiting> waiting_;  // by the subject's labels
};

}  // namespace volumeter
