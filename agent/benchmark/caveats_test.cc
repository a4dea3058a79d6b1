#include "benchmark/caveats.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace volumeter {
namespace {

namespace fs = std::filesystem;

class CgroupLimitsTest : public testing::Test {
 protected:
  CgroupLimitsTest() { fs::remove_all(root_); }
  ~CgroupLimitsTest() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) const {
    const fs::path whole = root_ + path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text << std::flush;
  }
  [[nodiscard]] std::vector<std::string> limits(const std::string& cgroups) const {
    return cgroup_limits(cgroups, root_, {{8, 1}, {8, 0}});
  }

  const std::string root_ = testing::TempDir() + "/cgroup-limits";
};

TEST_F(CgroupLimitsTest, OfTheDisksOwnNumberAndOfEachAncestor) {
  put("/fs/cgroup/a/b/io.max", "8:16 riops=1\n8:0 rbps=max wbps=max riops=100 wiops=max\n");
  put("/fs/cgroup/a/io.max", "8:0 rbps=1048576 wbps=max riops=max wiops=max\n");
  put("/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  put("/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_EQ(limits("0::/a/b\n"),
            (std::vector<std::string>{"io.max: 8:0 rbps=max wbps=max riops=100 wiops=max",
                                      "cpu.max: 50000 100000",
                                      "io.max: 8:0 rbps=1048576 wbps=max riops=max wiops=max"}));
}

TEST_F(CgroupLimitsTest, OfTheOlderHierarchy) {
  put("/fs/cgroup/blkio/a/blkio.throttle.write_iops_device", "8:0 5\n");
  EXPECT_EQ(limits("4:memory:/x\n3:blkio,net_cls:/a\n0::/\n"),
            (std::vector<std::string>{"blkio.throttle.write_iops_device: 8:0 5"}));
}

TEST_F(CgroupLimitsTest, NothingToSayIsNothing) {
  EXPECT_TRUE(limits("").empty());
  EXPECT_TRUE(limits("nonsense\n::\n0::relative\n").empty());
}

}  // namespace
}  // namespace volumeter
