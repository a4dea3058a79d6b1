#include "measure/usage/quota.h"

namespace volumeter {
namespace {

std::optional<std::uint64_t> unless_zero(std::uint64_t value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

TreeUse counted(const QuotaLook& look) {
  TreeUse use;
  use.method = UsageMethod::kQuota;
  use.project = look.project;
  use.inode = look.inode;
  use.bytes = look.used;
  use.inodes = look.entries;
  use.limit_bytes = unless_zero(look.limit);
  use.limit_inodes = unless_zero(look.entry_limit);
  return use;
}

// statfs answers for the project where that has a limit below the filesystem's size and is enforced
// (fs/xfs/xfs_qm_bhv.c, xfs_qm_statvfs; fs/ext4/super.c, ext4_statfs_project): then the sizes of
// the directory and of the filesystem differ. Looking at the filesystem before and after makes sure
// that it wasn't resized between two looks.
bool statfs_answers_for_project(const std::vector<QuotaLook>& looks) {
  const QuotaLook& around = looks[kFilesystem];
  const QuotaLook& here = looks[kDirectory];
  const bool steady = around.capacity == looks[kFilesystemAgain].capacity;
  // A project of the mount's own would answer there too.
  const bool whole = around.project == 0;
  return steady && whole && here.capacity != 0 && here.capacity < around.capacity;
}

}  // namespace

std::vector<Target> quota_places(const Inventory& inventory, const Target& target) {
  for (const Filesystem& filesystem : inventory.filesystems) {
    const MountEntry& mount = filesystem.mount;
    if (mount.device != target.device) continue;
    const std::string prefix = mount.root == "/" ? "/" : mount.root + "/";
    if (!target.root.starts_with(prefix) || target.root.size() == prefix.size()) return {};
    const std::string below = target.root.substr(prefix.size());
    const auto slash = below.rfind('/');
    Target whole = {mount.device, mount.root, mount.mount_point, mount.fstype, false, {}, false};
    Target again = whole;
    again.below = below;
    Target parent = whole;
    if (slash != std::string::npos) parent.below = below.substr(0, slash);
    return {whole, target, again, parent, whole};
  }
  return {};
}

std::optional<TreeUse> use_by_quota(const std::vector<QuotaLook>& looks) {
  if (looks.size() != kQuotaPlaces) return std::nullopt;
  const QuotaLook& here = looks[kDirectory];
  // Without inheritance new files belong to no project, and the project's sum isn't the
  // directory's.
  if (here.project == 0 || (here.flags & QuotaLook::kInherits) == 0) return std::nullopt;
  if (looks[kDirectoryAgain].inode != here.inode) return std::nullopt;
  if (looks[kParent].project == here.project) return std::nullopt;  // a part of its parent's
  const bool is_counted = (here.flags & QuotaLook::kCounted) != 0;
  if (statfs_answers_for_project(looks)) {
    TreeUse use = counted(here);
    use.method = UsageMethod::kStatfsProject;
    use.limit_bytes = here.capacity;
    if (!is_counted) use.inodes.reset();
    // Only a limit on inodes lets statfs answer for the project's inodes too.
    if (here.files < looks[kFilesystem].files) {
      use.limit_inodes = here.files;
    } else {
      use.limit_inodes.reset();
    }
    return use;
  }
  if (is_counted) return counted(here);
  return std::nullopt;
}

std::optional<TreeUse> use_by_ceph(const QuotaLook& look) {
  if ((look.flags & QuotaLook::kCeph) == 0) return std::nullopt;
  TreeUse use = counted(look);
  use.method = UsageMethod::kCephRbytes;
  return use;
}

bool may_be_ceph(const std::string& fstype) {
  return fstype == "ceph" || fstype.starts_with("fuse.ceph");
}

}  // namespace volumeter
