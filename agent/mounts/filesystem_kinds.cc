#include "mounts/filesystem_kinds.h"

#include <set>

namespace volumeter {

bool is_network_filesystem(std::string_view fstype) {
  static const std::set<std::string_view> kNames = {
      "nfs",    "nfs4",   "cifs",     "smb3", "smbfs", "ceph", "9p",       "afs",
      "lustre", "beegfs", "virtiofs", "gpfs", "ocfs2", "gfs2", "orangefs", "coda"};
  // fuseblk is a local disk served by a process.
  return kNames.contains(fstype) || fstype == "fuse" || fstype.starts_with("fuse.");
}

bool is_pseudo_filesystem(std::string_view fstype) {
  static const std::set<std::string_view> kNames = {
      "autofs",    "binfmt_misc", "bpf",      "cgroup",  "cgroup2",    "configfs", "debugfs",
      "devpts",    "devtmpfs",    "efivarfs", "fusectl", "hugetlbfs",  "iso9660",  "mqueue",
      "nsfs",      "overlay",     "proc",     "pstore",  "rpc_pipefs", "squashfs", "securityfs",
      "selinuxfs", "sysfs",       "tracefs",  "erofs",   "ramfs",      "sockfs",   "pipefs"};
  return kNames.contains(fstype);
}

bool is_memory_filesystem(std::string_view fstype) {
  return fstype == "tmpfs" || fstype == "ramfs" || fstype == "hugetlbfs";
}

}  // namespace volumeter
