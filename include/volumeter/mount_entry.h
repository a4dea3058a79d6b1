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
  // ext4 says so beside an "rw" that it leaves: after an error since Linux 6.15, and when it was
  // shut down (fs/ext4/super.c, _ext4_show_options).
  bool emergency_read_only = false;
  bool shut_down = false;

  [[nodiscard]] bool read_only() const {
    return mount_read_only || super_read_only || emergency_read_only || shut_down;
  }

  bool operator==(const MountEntry&) const = default;
};

}  // namespace volumeter
