#include "measure/health/error_report.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "measure/health/filesystem_errors.h"
#include "support/snapshot_values.h"
#include "support/temp_directory.h"

namespace volumeter {
namespace {

using test::finding_of;
using test::OneClaim;
using test::value_of;

constexpr auto kIo = static_cast<std::size_t>(KernelMessageKind::kIoError);
constexpr const char* kMessages = "volumeter_volume_kernel_messages_total";

// The claim has sdb to itself, through dm-0; sda is the node's.
class ErrorReportTest : public testing::Test {
 protected:
  ErrorReportTest() {
    add_device("sda", {8, 0}, {});
    add_device("sdb", {8, 16}, 0);
    add_device("dm-0", {253, 0}, 0);
    node_.inventory.devices[0].used = true;
    node_.volume().device = "dm-0";
  }

  void add_device(const std::string& name, DeviceNumber number, std::optional<std::size_t> user) {
    Device device;
    device.block.name = name;
    device.block.number = number;
    device.block.sequence = 1;
    device.labels = make_labels({name});
    device.sole_user = user;
    node_.inventory.devices.push_back(device);
  }

  void say(const std::string& device, std::uint64_t times = 1) {
    counts_.devices[device].counts[kIo] += times;
    counts_.devices[device].last = node_.snapshot().taken_at;
    counts_.all[kIo] += times;
  }

  MeasurementSet series() {
    totals_.update(counts_);
    MeasurementSet out;
    add_errors(host_, node_.inventory, &counts_, &totals_, out);
    return out;
  }

  void follow() { totals_.follow(std::make_shared<const Inventory>(node_.inventory), counts_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = directory_.path() + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  test::TempDirectory directory_;
  HostPaths host_{"/proc", directory_.path(), "/", ""};
  OneClaim node_;
  KernelLogCounts counts_;
  MessageTotals totals_;
};

TEST_F(ErrorReportTest, MessagesOfADiskAreItsOnlyUsers) {
  follow();
  EXPECT_EQ(value_of(series(), kMessages), 0);
  say("sdb", 2);
  say("dm-0");
  say("sda", 10);
  say("sdz", 100);
  const MeasurementSet all = series();
  EXPECT_EQ(value_of(all, kMessages), 3);
  EXPECT_EQ(value_of(all, "volumeter_block_device_kernel_messages_total", {"sda"}), 10);
  EXPECT_EQ(value_of(all, "volumeter_kernel_messages_total", {"io_error"}), 113);
  Snapshot snapshot = node_.snapshot();
  find_errors(host_, &totals_, snapshot);
  EXPECT_EQ(finding_of(snapshot.volumes[0], FindingKind::kKernelMessages),
            "the kernel's log tells of errors: io_error 3; the last at 2026-11-18 11:06:40 UTC");
  snapshot = node_.snapshot();
  snapshot.taken_at += std::chrono::hours(2);
  find_errors(host_, &totals_, snapshot);
  EXPECT_EQ(finding_of(snapshot.volumes[0], FindingKind::kKernelMessages), "");
}

// Loop devices' names are reused within seconds.
TEST_F(ErrorReportTest, WhatWasSaidOfAnotherDiskOfThatNameIsNotThisOnes) {
  say("sdb", 5);
  follow();
  EXPECT_EQ(value_of(series(), kMessages), 0);
  say("sdb");
  EXPECT_EQ(value_of(series(), kMessages), 1);
  // A counter doesn't go down when the claim gets another disk.
  say("sdb", 7);
  node_.inventory.devices[1].block.sequence = 2;
  counts_.devices["sdb"].counts[kIo] += 90;
  follow();
  EXPECT_EQ(value_of(series(), kMessages), 98) << "what came under the disk before";
  say("sdb");
  EXPECT_EQ(value_of(series(), kMessages), 99);
}

TEST_F(ErrorReportTest, AnNvmeControllersTimeoutIsItsNamespacesOnce) {
  add_device("nvme0n1", {259, 0}, 0);
  add_device("nvme0n1p1", {259, 1}, 0);
  node_.inventory.devices.back().block.disk = "nvme0n1";
  add_device("nvme10n1", {259, 2}, 0);
  follow();
  say("nvme0");
  EXPECT_EQ(value_of(series(), kMessages), 1);
  say("nvme0c1n1");  // one of several paths
  EXPECT_EQ(value_of(series(), kMessages), 2);
}

TEST_F(ErrorReportTest, AServersSilenceIsThatOfItsShares) {
  counts_.servers["fd00::1"].counts[kIo] = 4;  // before this share was mounted
  node_.volume().mount->fstype = "nfs4";
  node_.volume().mount->source = "[fd00::1]:/export";
  follow();
  EXPECT_EQ(value_of(series(), kMessages), 0);
  counts_.servers["fd00::1"].counts[kIo] = 6;
  counts_.servers["10.0.0.2"].counts[kIo] = 9;
  EXPECT_EQ(value_of(series(), kMessages), 2);
}

TEST_F(ErrorReportTest, AHungTaskIsOfItsPodsOnlyClaimAndStaysCounted) {
  follow();
  counts_.pods["uid-db-0"].counts[kIo] = 1;
  EXPECT_EQ(value_of(series(), kMessages), 1);
  // With a second claim nobody knows over which of them it hangs; what is counted is counted.
  node_.inventory.claims.push_back(node_.claim());
  Subject second = node_.inventory.subjects[0];
  second.labels = make_labels({"ns", "wal"});
  second.claim = 1;
  node_.inventory.subjects.push_back(second);
  follow();
  counts_.pods["uid-db-0"].counts[kIo] = 5;
  EXPECT_EQ(value_of(series(), kMessages, {"data-db-0"}), 1);
  EXPECT_FALSE(value_of(series(), kMessages, {"wal"})) << "nothing could be told to be about it";
}

TEST_F(ErrorReportTest, WithoutTheKernelsLogNothingIsSaidOfIt) {
  MeasurementSet out;
  add_errors(host_, node_.inventory, nullptr, nullptr, out);
  EXPECT_FALSE(value_of(out, kMessages));
  EXPECT_FALSE(value_of(out, "volumeter_kernel_messages_total", {"io_error"}));
}

TEST_F(ErrorReportTest, Ext4KnowsItsErrorsAndWhen) {
  EXPECT_FALSE(read_filesystem_errors(host_, "ext4", "dm-0"));
  write("fs/ext4/dm-0/errors_count", "0\n");
  EXPECT_EQ(read_filesystem_errors(host_, "ext4", "dm-0")->total(), 0U);
  write("fs/ext4/dm-0/errors_count", "7\n");
  write("fs/ext4/dm-0/first_error_time", "1794000000\n");
  write("fs/ext4/dm-0/last_error_time", "1795000000\n");
  const MeasurementSet all = series();
  EXPECT_EQ(value_of(all, "volumeter_volume_filesystem_errors_total", {"error"}), 7);
  EXPECT_EQ(value_of(all, "volumeter_volume_filesystem_first_error_timestamp_seconds"), 1794000000);
  EXPECT_EQ(value_of(all, "volumeter_volume_filesystem_last_error_timestamp_seconds"), 1795000000);
  Snapshot snapshot = node_.snapshot();
  find_errors(host_, nullptr, snapshot);
  EXPECT_EQ(finding_of(snapshot.volumes[0], FindingKind::kFilesystemErrors),
            "ext4 has counted errors: error 7; the last at 2026-11-18 11:06:40 UTC");
}

TEST_F(ErrorReportTest, BtrfsCountsByKindOverItsDevices) {
  node_.volume().mount->fstype = "btrfs";
  const std::string fs = "fs/btrfs/0b4c9a5e-0000-4000-8000-000000000000/";
  write(fs + "devices/dm-0/dev", "");
  write(fs + "devinfo/1/error_stats",
        "write_errs 1\nread_errs 0\nflush_errs 0\ncorruption_errs 2\ngeneration_errs 0\n");
  write(fs + "devinfo/2/error_stats", "write_errs 3\nnonsense\ncorruption_errs x\n");
  const MeasurementSet all = series();
  EXPECT_EQ(value_of(all, "volumeter_volume_filesystem_errors_total", {"write"}), 4);
  EXPECT_EQ(value_of(all, "volumeter_volume_filesystem_errors_total", {"corruption"}), 2);
  EXPECT_EQ(value_of(all, "volumeter_volume_filesystem_errors_total", {"read"}), 0);
}

// Errors of a filesystem that several share are told once, by the filesystem.
TEST_F(ErrorReportTest, ASharedFilesystemsErrorsAreItsOwn) {
  write("fs/ext4/dm-0/errors_count", "7\n");
  node_.volume().shares_filesystem = true;
  Filesystem filesystem;
  filesystem.mount = *node_.volume().mount;
  filesystem.labels = make_labels({"dm-0", "/data", "ext4"});
  node_.inventory.filesystems.push_back(filesystem);
  const MeasurementSet all = series();
  EXPECT_FALSE(value_of(all, "volumeter_volume_filesystem_errors_total"));
  EXPECT_EQ(value_of(all, "volumeter_filesystem_errors_total", {"/data"}), 7);
}

}  // namespace
}  // namespace volumeter
