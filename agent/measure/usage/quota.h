// Whether a quota answers for a directory: only where the directory is the top of a project of its
// own. A number of the whole filesystem, or of a project that neighbours share, is never taken for
// the directory's.
#pragma once

#include <optional>
#include <vector>

#include "measure/usage/tree.h"

namespace volumeter {

// The places to look at, in this order, to decide about one target.
enum QuotaPlace : std::size_t {
  kFilesystem,       // the mount through which all of the filesystem is seen
  kDirectory,        // the target
  kDirectoryAgain,   // the target from that mount: is it the same one?
  kParent,           // the directory above it
  kFilesystemAgain,  // has it been resized in between?
  kQuotaPlaces
};

// Empty when no mount shows what is around the target. Event-loop thread; pure.
std::vector<Target> quota_places(const Inventory& inventory, const Target& target);

// `looks` holds the answers for the places. Absent when only a walk can tell. The result's times
// are left to the caller.
std::optional<TreeUse> use_by_quota(const std::vector<QuotaLook>& looks);

// CephFS needs none of that: it counts each directory.
std::optional<TreeUse> use_by_ceph(const QuotaLook& look);

// A network filesystem on which a look is worth while.
bool may_be_ceph(const std::string& fstype);

}  // namespace volumeter
