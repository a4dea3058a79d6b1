#include "kubelet/kubelet_tree.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support/temp_directory.h"

namespace volumeter {
namespace {

namespace fs = std::filesystem;

class KubeletTreeTest : public testing::Test {
 protected:
  KubeletTreeTest() { fs::create_directories(pods()); }

  fs::path pods() const { return root_ / "pods"; }
  fs::path plugin(const std::string& name) {
    const fs::path path = pods() / "uid-1/volumes" / ("kubernetes.io~" + name);
    fs::create_directories(path);
    return path;
  }
  KubeletTree scan() { return scanner_.scan(HostPaths{}, root_).value(); }

  const test::TempDirectory temporary_{"kubelet"};
  const fs::path root_ = temporary_.path();
  KubeletScanner scanner_;
};

TEST_F(KubeletTreeTest, AMissingRootIsNamed) {
  const auto tree = scanner_.scan(HostPaths{}, "/nonexistent/kubelet");
  ASSERT_FALSE(tree);
  EXPECT_NE(tree.error().message.find("/nonexistent/kubelet/pods"), std::string::npos);
}

TEST_F(KubeletTreeTest, OnlyDirectoriesAreVolumes) {
  fs::create_directories(plugin("empty-dir") / "good");
  fs::create_symlink("/etc", plugin("empty-dir") / "link");
  ASSERT_EQ(::mkfifo((plugin("empty-dir") / "fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mknod((plugin("empty-dir") / "file").c_str(), S_IFREG | 0600, 0), 0);
  const KubeletTree tree = scan();
  ASSERT_EQ(tree.volumes.size(), 1U);
  EXPECT_EQ(tree.volumes[0].name, "good");
  EXPECT_EQ(tree.problems.size(), 3U);
}

TEST_F(KubeletTreeTest, APluginDirectoryThatIsALinkLeadsNowhere) {
  fs::create_directories(root_ / "outside/kubernetes.io~empty-dir/x");
  fs::create_directories(pods() / "uid-2");
  fs::create_symlink(root_ / "outside", pods() / "uid-2/volumes");
  const KubeletTree tree = scan();
  EXPECT_TRUE(tree.volumes.empty());
  EXPECT_EQ(tree.problems.size(), 1U);
}

TEST_F(KubeletTreeTest, VolDataThatIsALinkAFifoOrNonsenseCostsOnlyItself) {
  for (const char* name : {"linked", "fifo", "nonsense", "good"}) {
    fs::create_directories(plugin("csi") / name / "mount");
  }
  std::ofstream(root_ / "elsewhere.json") << R"({"driverName":"stolen"})";
  fs::create_symlink(root_ / "elsewhere.json", plugin("csi") / "linked/vol_data.json");
  ASSERT_EQ(::mkfifo((plugin("csi") / "fifo/vol_data.json").c_str(), 0600), 0);
  std::ofstream(plugin("csi") / "nonsense/vol_data.json") << "[1,2";
  std::ofstream(plugin("csi") / "good/vol_data.json")
      << R"({"driverName":"d","specVolID":"good","volumeHandle":"h"})";
  const KubeletTree tree = scan();
  ASSERT_EQ(tree.volumes.size(), 4U);
  EXPECT_EQ(tree.problems.size(), 3U);
  for (const PodVolumeDir& volume : tree.volumes) {
    EXPECT_EQ(volume.csi.driver, volume.name == "good" ? "d" : "") << volume.name;
  }
}

TEST_F(KubeletTreeTest, NamesOfAnyBytesAreKept) {
  const std::string name = "a\"b\n\xff";
  fs::create_directories(plugin("empty-dir") / name);
  const KubeletTree tree = scan();
  ASSERT_EQ(tree.volumes.size(), 1U);
  EXPECT_EQ(tree.volumes[0].name, name);
}

TEST_F(KubeletTreeTest, AKubeletRootBehindALinkIsResolved) {
  fs::create_directories(plugin("empty-dir") / "v");
  const fs::path link = root_.string() + "-link";
  fs::create_symlink(root_, link);
  const KubeletTree tree = scanner_.scan(HostPaths{}, link).value();
  fs::remove(link);
  EXPECT_EQ(tree.root, fs::canonical(root_));
  ASSERT_EQ(tree.volumes.size(), 1U);
  EXPECT_TRUE(tree.volumes[0].path.starts_with(fs::canonical(root_).string()));
}

TEST_F(KubeletTreeTest, PodLogsGiveNamespaceAndName) {
  for (const char* name : {"demo_web-1_uid-1", "no-underscores", "a_b", "kube-system_x_uid-2"}) {
    fs::create_directories(root_ / "var/log/pods" / name);
  }
  HostPaths host;
  host.rootfs = root_;
  const auto names = scan_pod_logs(host).value();
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(names.at("uid-1"), (PodName{"demo", "web-1"}));
}

}  // namespace
}  // namespace volumeter
