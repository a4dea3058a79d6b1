#include "measure/io/mountstats.h"

#include <gtest/gtest.h>

#include "support/recorded_node.h"

namespace volumeter {
namespace {

// A volume of a claim on an NFS mount.
void add_volume(Inventory& inventory, const std::string& claim, const std::string& where,
                DeviceNumber device) {
  Volume volume;
  MountEntry& mount = volume.mount.emplace();
  mount.mount_point = where;
  mount.device = device;
  mount.fstype = "nfs4";
  Subject subject;
  subject.claim = 0;
  subject.labels = make_labels({"ns", claim});
  subject.volumes = {inventory.volumes.size()};
  inventory.volumes.push_back(volume);
  inventory.subjects.push_back(subject);
}

std::optional<double> value(const MeasurementSet& set, const std::string& name,
                            const std::vector<std::string>& labels) {
  for (const Family& family : set.families()) {
    if (family.desc->name != "volumeter_" + name) continue;
    for (const Series& series : family.series) {
      if (*series.labels == labels) return series.value;
    }
  }
  return std::nullopt;
}

TEST(Mountstats, AClaimsOwnShareIsTold) {
  Inventory inventory;
  add_volume(inventory, "a", "/run/tmp/m4", {0, 50});
  add_volume(inventory, "b", "/run/tmp/with space", {0, 51});
  MeasurementSet out;
  add_nfs(test::read_fixture("mountstats-nfs4.txt"), inventory, out);
  EXPECT_EQ(value(out, "volume_nfs_operations_requests_total", {"ns", "a", "WRITE"}), 3);
  EXPECT_EQ(value(out, "volume_nfs_operations_queue_time_seconds_total", {"ns", "a", "WRITE"}),
            0.020);
  EXPECT_EQ(value(out, "volume_nfs_operations_response_time_seconds_total", {"ns", "a", "WRITE"}),
            0.054);
  EXPECT_EQ(value(out, "volume_nfs_operations_request_time_seconds_total", {"ns", "a", "WRITE"}),
            0.075);
  EXPECT_EQ(value(out, "volume_nfs_operations_requests_total", {"ns", "b", "READ"}), 10);
  EXPECT_FALSE(value(out, "volume_nfs_operations_requests_total", {"ns", "a", "READ"}))
      << "never called";
}

TEST(Mountstats, WhatSeveralClaimsShareIsTheFilesystems) {
  Inventory inventory;
  add_volume(inventory, "a", "/run/tmp/m4", {0, 50});
  add_volume(inventory, "b", "/elsewhere/m4", {0, 50});
  Filesystem filesystem;
  filesystem.mount = *inventory.volumes[0].mount;
  filesystem.labels = make_labels({"server:/", "", "nfs4"});
  inventory.filesystems.push_back(filesystem);
  MeasurementSet out;
  add_nfs(test::read_fixture("mountstats-nfs4.txt"), inventory, out);
  EXPECT_FALSE(value(out, "volume_nfs_operations_requests_total", {"ns", "a", "WRITE"}));
  EXPECT_EQ(
      value(out, "filesystem_nfs_operations_requests_total", {"server:/", "", "nfs4", "WRITE"}), 3);
}

TEST(Mountstats, AShareThatTheNodeMountsTooIsNoClaimsAlone) {
  Inventory inventory;
  add_volume(inventory, "a", "/run/tmp/m4", {0, 50});
  Filesystem filesystem;
  filesystem.mount = *inventory.volumes[0].mount;
  filesystem.labels = make_labels({"server:/", "/mnt/nas", "nfs4"});
  inventory.filesystems.push_back(filesystem);
  MeasurementSet out;
  add_nfs(test::read_fixture("mountstats-nfs4.txt"), inventory, out);
  EXPECT_FALSE(value(out, "volume_nfs_operations_requests_total", {"ns", "a", "WRITE"}));
}

TEST(Mountstats, Version3WithItsRetransmissions) {
  const auto mounts = parse_mountstats(test::read_fixture("mountstats-nfs3.txt"));
  ASSERT_EQ(mounts.size(), 1U);
  const auto& operations = mounts.begin()->second;
  EXPECT_EQ(operations.at("READ").transmissions, 5U);
  EXPECT_EQ(operations.at("COMMIT").response_ms, 31U);
  Inventory inventory;
  add_volume(inventory, "a", mounts.begin()->first, {0, 50});
  MeasurementSet out;
  add_nfs(test::read_fixture("mountstats-nfs3.txt"), inventory, out);
  EXPECT_EQ(value(out, "volume_nfs_operations_retransmissions_total", {"ns", "a", "READ"}), 2);
  EXPECT_EQ(value(out, "volume_nfs_operations_requests_total", {"ns", "a", "OTHER"}),
            1 + 5 + 12 + 2 + 1)
      << "MKDIR, READDIRPLUS, FSSTAT, FSINFO, PATHCONF; NULL is the server's";
}

TEST(Mountstats, NonsenseCostsOnlyItself) {
  const auto mounts = parse_mountstats(
      "device  mounted on  with fstype nfs\nper-op statistics\n READ: 1\nWRITE 1 2 3\n: 1 1 1 1 1 "
      "1 1 1\n"
      "device nfsd mounted on /proc/fs/nfsd with fstype nfsd\nper-op statistics\nREAD: 1 1 1 1 1 1 "
      "1 1\n"
      "device x mounted on /with fstype nfs4 with fstype nfs4 statvers=1.1\nper-op statistics\n"
      "READ: 2 1 1 1 1 1 1 99999999999999999999999\nWRITE: 4 4 0 1 1 1 1 1 0 7\n");
  ASSERT_TRUE(mounts.contains("/with fstype nfs4"));
  EXPECT_EQ(mounts.at("/with fstype nfs4").size(), 1U);
  EXPECT_FALSE(mounts.contains("/proc/fs/nfsd"));
}

}  // namespace
}  // namespace volumeter
