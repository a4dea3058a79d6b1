#include "measure/usage/usage.h"

#include <gtest/gtest.h>

#include <limits>

namespace volumeter {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(Usage, IsTheKubeletsArithmetic) {
  const Usage usage = to_usage({1000, 400, 350, 4096, 100, 90});
  EXPECT_EQ(usage.capacity, 1000U * 4096);
  EXPECT_EQ(usage.used, 600U * 4096);
  EXPECT_EQ(usage.available, 350U * 4096);
  EXPECT_EQ(usage.inodes_used, 10U);
  // As df: blocks that root keeps count neither as used nor as available.
  EXPECT_DOUBLE_EQ(*usage.ratio(), 600.0 / 950.0);
  EXPECT_DOUBLE_EQ(*usage.inodes_ratio(), 0.1);
}

TEST(Usage, FilesystemsWithoutInodeCountsHaveNone) {
  EXPECT_FALSE(to_usage({1000, 400, 350, 4096, 0, 0}).inodes) << "btrfs";
  EXPECT_FALSE(to_usage({1000, 400, 350, 4096, kMax, kMax}).inodes);
  EXPECT_FALSE(to_usage({1000, 400, 350, 4096, kMax, kMax}).inodes_ratio());
}

TEST(Usage, NonsenseIsAbsent) {
  EXPECT_FALSE(to_usage({kMax, 1, 1, 4096, 1, 1}).capacity) << "overflow";
  EXPECT_FALSE(to_usage({10, 1, 1, 0, 1, 1}).capacity) << "no block size";
  EXPECT_FALSE(to_usage({10, 11, 1, 4096, 1, 1}).used) << "more free than there is";
  EXPECT_FALSE(to_usage({10, 1, 11, 4096, 1, 1}).available);
  EXPECT_FALSE(to_usage({10, 1, 1, 4096, 5, 6}).inodes_used);
  EXPECT_FALSE(to_usage({0, 0, 0, 4096, 0, 0}).ratio()) << "nothing of nothing";
}

}  // namespace
}  // namespace volumeter
