#include "mounts/mount_table.h"

#include <gtest/gtest.h>

namespace volumeter {
namespace {

TEST(MountInfo, DecodesEscapesAndBothReadOnlyFlags) {
  const auto parsed = parse_mountinfo(
      "36 35 98:0 /mnt\\0401 /a\\040b\\012c rw,noatime shared:1 - ext4 /dev/my\\134disk "
      "ro,errors=x\n"
      "37 35 0:44 / /b ro,relatime - tmpfs tmpfs rw\n");
  ASSERT_EQ(parsed.table.size(), 2U);
  EXPECT_EQ(parsed.bad_lines, 0U);
  const MountEntry& first = parsed.table[0];
  EXPECT_EQ(first.id, 36);
  EXPECT_EQ(first.device, (DeviceNumber{98, 0}));
  EXPECT_EQ(first.root, "/mnt 1");
  EXPECT_EQ(first.mount_point, "/a b\nc");
  EXPECT_EQ(first.source, "/dev/my\\disk");
  EXPECT_FALSE(first.mount_read_only);
  EXPECT_TRUE(first.super_read_only);
  EXPECT_TRUE(parsed.table[1].mount_read_only);
  EXPECT_FALSE(parsed.table[1].super_read_only);
}

TEST(MountInfo, BadLinesAreCountedAndCostOnlyThemselves) {
  const auto parsed = parse_mountinfo(
      "36 35 98:0 / /good rw - ext4 /dev/a rw\n"
      "not a mountinfo line\n"
      "38 35 98:1 / /also rw - ext4 /dev/b rw\n");
  EXPECT_EQ(parsed.bad_lines, 1U);
  ASSERT_EQ(parsed.table.size(), 2U);
  EXPECT_EQ(parsed.table[1].mount_point, "/also");
}

TEST(MountInfo, TellsWhereAnOverlayWrites) {
  const auto parsed = parse_mountinfo(
      "80 27 0:57 / /m rw - overlay overlay rw,lowerdir=/l,upperdir=/var/lib/x/fs,workdir=/w\n");
  ASSERT_EQ(parsed.table.size(), 1U);
  EXPECT_EQ(parsed.table[0].upper_dir, "/var/lib/x/fs");
}

TEST(MountInfo, EmptyTextIsAnEmptyTable) { EXPECT_TRUE(parse_mountinfo("").table.empty()); }

}  // namespace
}  // namespace volumeter
