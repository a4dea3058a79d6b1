// A line of the mount table, for tests of pure functions.
#pragma once

#include <string>

#include "volumeter/mount_entry.h"

namespace volumeter::test {

inline MountEntry mount_entry(DeviceNumber device, const std::string& root,
                              const std::string& where, const std::string& fstype = "ext4",
                              const std::string& source = "/dev/sdb") {
  MountEntry entry;
  entry.device = device;
  entry.root = root;
  entry.mount_point = where;
  entry.fstype = fstype;
  entry.source = source;
  return entry;
}

}  // namespace volumeter::test
