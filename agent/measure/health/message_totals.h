// Whose the kernel's messages are: sums that never go down, whatever leaves or is replaced.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measure/health/kernel_log.h"
#include "volumeter/inventory.h"

namespace volumeter {

// Credits what is new in the counts to subjects, and to devices that no subject has alone. Each
// source (a disk, for as long as it is the same one; an NFS server; a pod) counts from when it was
// first a subject's. Of one thread at a time.
class MessageTotals {
 public:
  // Credits what came under the inventory before, then follows this one.
  void follow(const std::shared_ptr<const Inventory>& inventory, const KernelLogCounts& counts);
  void update(const KernelLogCounts& counts);

  // Of a subject or device by its labels; absent where nothing that the kernel says could be told
  // to be about it.
  [[nodiscard]] std::optional<KernelLogCounts::Source> of(const Labels& labels) const;

 private:
  struct Total {
    std::map<std::string, KernelMessageCounts> seen;  // by source
    KernelLogCounts::Source sum;
  };
  std::shared_ptr<const Inventory> inventory_;
  std::map<std::vector<std::string>, Total> totals_;
};

}  // namespace volumeter
