#include "measure/io/io.h"

#include <gtest/gtest.h>

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

TEST(Diskstats, AreInBaseUnits) {
  MeasurementSet out;
  add_diskstats(
      " 259 0 nvme0n1 47114 4 4643973 21650 1078320 1043950 39451633 1011196 3 222766 "
      "1032546 5 6 7 8 1555 1058\n",
      {}, out);
  EXPECT_EQ(value(out, "block_device_io_read_bytes_total", "nvme0n1"), 4643973.0 * 512);
  EXPECT_EQ(value(out, "block_device_io_write_time_seconds_total", "nvme0n1"), 1011.196);
  EXPECT_EQ(value(out, "block_device_io_io_now", "nvme0n1"), 3);
  EXPECT_EQ(value(out, "block_device_io_flush_requests_total", "nvme0n1"), 1555);
}

TEST(Diskstats, OlderKernelsFieldsAreAbsentRatherThanZero) {
  MeasurementSet out;
  add_diskstats("8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n", {}, out);
  EXPECT_EQ(value(out, "block_device_io_reads_completed_total", "sda"), 1);
  EXPECT_FALSE(value(out, "block_device_io_discards_completed_total", "sda"));
}

TEST(Diskstats, PhantomsRamDisksUnusedLoopsAndNonsenseAreLeftOut) {
  MeasurementSet out;
  add_diskstats(
      "7 5 loop5 1 0 0 0 1 0 0 0 0 0 0\n1 0 ram0 1 0 0 0 0 0 0 0 0 0 0\n"
      "7 6 loop6 0 0 0 0 0 0 0 0 0 0 0\n8 0\nx\n8 1 sdb y\n",
      {"loop5"}, out);
  EXPECT_TRUE(out.families().empty());
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
