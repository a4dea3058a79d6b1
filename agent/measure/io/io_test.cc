#include "measure/io/io.h"

#include <gtest/gtest.h>

#include "host/block_devices.h"

namespace volumeter {
namespace {

std::optional<double> value(const MeasurementSet& set, const std::string& name,
                            const std::string& device) {
  for (const Family& family : set.families()) {
    if (family.desc->name != "volumeter_" + name) continue;
    for (const Series& series : family.series) {
      if (device.empty() || series.labels->at(0) == device) return series.value;
    }
  }
  return std::nullopt;
}

// A claim on sdb, two on sda's only partition, and what else a node has.
Inventory devices() {
  Inventory inventory;
  const auto add = [&](const std::string& name) -> Device& {
    inventory.devices.push_back({{}, {}, false, {}, make_labels({name})});
    inventory.devices.back().block.name = name;
    return inventory.devices.back();
  };
  add("sda");
  add("sda1").block.disk = "sda";
  inventory.devices.back().used = true;
  add("sda2").block.disk = "sda";
  add("sdb").owner = 0;
  add("ram0");
  add("loop6").block.tier = Tier::kLoop;
  Subject subject;
  subject.claim = 0;
  subject.labels = make_labels({"ns", "claim"});
  subject.devices = {3};
  inventory.subjects.push_back(subject);
  return inventory;
}

TEST(Diskstats, AreInBaseUnits) {
  MeasurementSet out;
  add_diskstats(
      " 8 0 sda 47114 4 4643973 21650 1078320 1043950 39451633 1011196 3 222766 "
      "1032546 5 6 7 8 1555 1058\n",
      devices(), out);
  EXPECT_EQ(value(out, "block_device_io_read_bytes_total", "sda"), 4643973.0 * 512);
  EXPECT_EQ(value(out, "block_device_io_write_time_seconds_total", "sda"), 1011.196);
  EXPECT_EQ(value(out, "block_device_io_io_now", "sda"), 3);
  EXPECT_EQ(value(out, "block_device_io_flush_requests_total", "sda"), 1555);
}

TEST(Diskstats, AClaimsOwnDeviceIsTheClaimsAlone) {
  MeasurementSet out;
  add_diskstats("8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 16 sdb 7 2 3 4 5 6 7 8 9 10 11\n", devices(),
                out);
  EXPECT_EQ(value(out, "volume_io_reads_completed_total", ""), 7);
  EXPECT_EQ(value(out, "block_device_io_reads_completed_total", "sda"), 1);
  EXPECT_FALSE(value(out, "block_device_io_reads_completed_total", "sdb"));
}

// The kernel counts flushes of whole disks with requests, and nothing where accounting is off.
TEST(Diskstats, WhatTheKernelDoesNotCountIsAbsent) {
  MeasurementSet out;
  Inventory inventory = devices();
  const std::string columns = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0 0\n";
  add_diskstats("8 0 sda" + columns + "8 1 sda1" + columns, inventory, out);
  EXPECT_EQ(value(out, "block_device_io_flush_requests_total", "sda"), 0);
  EXPECT_FALSE(value(out, "block_device_io_flush_requests_total", "sda1"));
  EXPECT_EQ(value(out, "block_device_io_discards_completed_total", "sda1"), 12);
  inventory.devices[3].block.bio_based = true;
  MeasurementSet bios;
  add_diskstats("8 16 sdb" + columns, inventory, bios);
  EXPECT_FALSE(value(bios, "volume_io_flush_requests_total", ""));
  inventory.devices[3].block.accounts = false;
  MeasurementSet none;
  add_diskstats("8 16 sdb 0 0 0 0 0 0 0 0 0 0 0\n", inventory, none);
  EXPECT_TRUE(none.families().empty());
}

TEST(Diskstats, OlderKernelsFieldsAreAbsentRatherThanZero) {
  MeasurementSet out;
  add_diskstats("8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n", devices(), out);
  EXPECT_EQ(value(out, "block_device_io_reads_completed_total", "sda"), 1);
  EXPECT_FALSE(value(out, "block_device_io_discards_completed_total", "sda"));
}

TEST(Diskstats, RamDisksUnusedLoopsEmptyPartitionsStrangersAndNonsenseAreLeftOut) {
  MeasurementSet out;
  add_diskstats(
      "1 0 ram0 1 0 0 0 0 0 0 0 0 0 0\n7 6 loop6 0 0 0 0 0 0 0 0 0 0 0\n8 0\nx\n8 1 sdz 1 2\n"
      "8 2 sda2 1 0 0 0 0 0 0 0 0 0 0\n8 0 sda y\n",
      devices(), out);
  EXPECT_TRUE(out.families().empty());
  add_diskstats("8 1 sda1 1 0 0 0 0 0 0 0 0 0 0\n7 6 loop6 1 0 0 0 0 0 0 0 0 0 0\n", devices(),
                out);
  EXPECT_EQ(value(out, "block_device_io_reads_completed_total", "sda1"), 1);
  EXPECT_EQ(value(out, "block_device_io_reads_completed_total", "loop6"), 1);
}

TEST(Diskstats, AnotherDisksCountsAreNotThisOnes) {
  MeasurementSet out;
  Inventory inventory = devices();
  inventory.devices[3].block.counted_before = parse_disk_counters("100 0 0 0 50");
  add_diskstats("8 16 sdb 107 0 0 0 50 0 0 0 4 0 0\n", inventory, out);
  EXPECT_EQ(value(out, "volume_io_reads_completed_total", ""), 7);
  EXPECT_EQ(value(out, "volume_io_writes_completed_total", ""), 0);
  EXPECT_EQ(value(out, "volume_io_io_now", ""), 4) << "in flight is no counter";
}

TEST(Diskstats, SeveralDevicesOfOneVolumeAddUp) {
  MeasurementSet out;
  Inventory inventory = devices();
  inventory.subjects[0].devices = {0, 3};
  inventory.devices[0].owner = 0;
  add_diskstats("8 0 sda 1 0 0 0 2 0 0 0 0 0 0\n8 16 sdb 10 0 0 0 20 0 0 0 0 0 0\n", inventory,
                out);
  EXPECT_EQ(value(out, "volume_io_reads_completed_total", ""), 11);
  MeasurementSet half;
  add_diskstats("8 0 sda 1 0 0 0 2 0 0 0 0 0 0\n", inventory, half);
  EXPECT_TRUE(half.families().empty()) << "a part isn't the whole";
}

TEST(Pressure, IsInSeconds) {
  MeasurementSet out;
  add_io_pressure(
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=5133669\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=4799304\nbroken\n",
      out);
  EXPECT_EQ(value(out, "pressure_io_waiting_seconds_total", ""), 5.133669);
  EXPECT_EQ(value(out, "pressure_io_stalled_seconds_total", ""), 4.799304);
}

}  // namespace
}  // namespace volumeter
