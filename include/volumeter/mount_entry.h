// One line of /proc/<pid>/mountinfo (kernel: fs/proc_namespace.c, show_mountinfo;
// Documentation/filesystems/proc.rst, section 3.5).
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace volumeter {

struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  auto operator<=>(const DeviceNumber&) const = default;
};

struct MountEntry {
  int id = 0;
  int parent = 0;
  DeviceNumber device;      // st_dev of the superblock; anonymous (major 0) for many filesystems
  std::string root;         // which directory of the filesystem is mounted; "/" is all of it
  std::string mount_point;  // on the host, octal escapes decoded; may hold any byte but NUL
  std::string fstype;       // "ext4", "nfs4", "fuse.sshfs"
  std::string source;       // "/dev/sda1", "server:/export", "tmpfs"
  std::string upper_dir;    // overlay only: where a container's writes land; else empty
  // A mount and its superblock each have a read-only flag: after an error the kernel sets the
  // superblock's, and the mount still says "rw".
  bool mount_read_only = false;
  bool super_read_only = false;

  bool operator==(const MountEntry&) const = default;
};

}  // namespace volumeter
