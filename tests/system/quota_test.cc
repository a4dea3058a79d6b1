// Project quotas on real xfs and ext4: they answer instead of walks, and only where the answer is
// the directory's own.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "system_test.h"

namespace volumeter::test {
namespace {

constexpr int kProjectQuota = 2;  // PRJQUOTA
constexpr double kMiB = 1 << 20;

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void set_project(const std::string& directory, std::uint32_t project) {
  const UniqueFd fd = open_directory(directory);
  fsxattr attributes{};
  ASSERT_EQ(::ioctl(fd.get(), FS_IOC_FSGETXATTR, &attributes), 0) << std::strerror(errno);
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  ASSERT_EQ(::ioctl(fd.get(), FS_IOC_FSSETXATTR, &attributes), 0) << std::strerror(errno);
}

void set_limit(const std::string& filesystem, std::uint32_t project, std::uint64_t bytes,
               std::uint64_t inodes = 0) {
  const UniqueFd fd = open_directory(filesystem);
  dqblk quota{};
  quota.dqb_bhardlimit = bytes / 1024;
  quota.dqb_ihardlimit = inodes;
  quota.dqb_valid = QIF_LIMITS;
  ASSERT_EQ(::syscall(SYS_quotactl_fd, fd.get(), QCMD(Q_SETQUOTA, kProjectQuota), project, &quota),
            0)
      << std::strerror(errno);
}

void write(const std::string& path, std::size_t bytes) {
  std::ofstream(path) << std::string(bytes, 'x');
}

class QuotaOn : public SystemTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    const std::string fstype = GetParam();
    disk = node->directory() + "/disk";
    make_directories(disk);
    std::vector<std::string> more;
    if (fstype == "ext4") more = {"-O", "quota,project", "-E", "quotatype=prjquota"};
    const std::string device = attach_loop(node->image(fstype, kDisk, more));
    const bool mounted = ::mount(device.c_str(), disk.c_str(), fstype.c_str(), 0, "prjquota") == 0;
    const int error = errno;
    detach_loop(device);
    ASSERT_TRUE(mounted || std::getenv("VOLUMETER_TEST_VM") == nullptr) << std::strerror(error);
    if (!mounted) {
      GTEST_SKIP() << "this kernel has no project quotas on " << fstype << " ("
                   << std::strerror(error) << "): make test-vm has";
    }
  }

  // A directory of the disk, of a project, as a local volume of pod u.
  std::string volume(const std::string& name, const std::string& root, std::uint32_t project) {
    make_directories(disk + root);
    if (project != 0) set_project(disk + root, project);
    const std::string where = node->volume_dir("u", "local-volume", name);
    Node::bind(disk + root, where);
    return where;
  }

  [[nodiscard]] std::unique_ptr<Agent> agent(bool may_ask) const {
    Agent::Options options;
    if (!may_ask) options.wrapper = {"setpriv", "--bounding-set=-sys_admin"};
    auto started = std::make_unique<Agent>(
        flags({"--interval=1s", "--worker.deadline=900ms", "--usage.walk-interval=2s"}), options);
    EXPECT_TRUE(started->ready(60s));
    return started;
  }

  static std::string series(const std::string& family, const std::string& name) {
    return pod_series(family, "u", name, "local");
  }
  static std::string method(const std::string& name, const std::string& method) {
    return pod_series("usage_method", "u", name, "local", ",method=\"" + method + "\"");
  }

  static constexpr std::uint64_t kDisk = 320 << 20;
  std::string disk;
};

TEST_P(QuotaOn, AnEnforcedLimitIsTheVolumesSize) {
  const std::string where = volume("limited", "/limited", 7);
  set_limit(disk, 7, 16 << 20, 1000);
  write(where + "/file", 2 << 20);
  write(disk + "/else", 30 << 20);
  must_run({"sync", "-f", disk});
  for (const bool may_ask : {true, false}) {
    SCOPED_TRACE(may_ask);
    const auto running = agent(may_ask);
    ASSERT_TRUE(running->sees(method("limited", "statfs-project"), 1, 60s));
    EXPECT_EQ(running->metric(series("stats_capacity_bytes", "limited")), 16 * kMiB);
    EXPECT_EQ(running->metric(series("stats_used_bytes", "limited")), du(where));
    EXPECT_EQ(running->metric(series("stats_available_bytes", "limited")), 16 * kMiB - du(where));
    EXPECT_EQ(running->metric(series("stats_inodes", "limited")), 1000);
    EXPECT_EQ(running->metric(series("stats_inodes_used", "limited")), 2);
    EXPECT_EQ(running->metric(series("capacity_enforced", "limited")), 1);
    EXPECT_NEAR(running->metric(series("usage_ratio", "limited")).value_or(0), 2.0 / 16, 0.01);
    EXPECT_FALSE(running->metric(series("walk_entries", "limited"))) << "it isn't walked";
  }
}

TEST_P(QuotaOn, WithoutALimitOnInodesTheDisksInodesAreNotTheVolumes) {
  const std::string where = volume("limited", "/limited", 7);
  set_limit(disk, 7, 16 << 20);
  const auto running = agent(false);
  ASSERT_TRUE(running->sees(method("limited", "statfs-project"), 1, 60s));
  EXPECT_FALSE(running->metric(series("stats_inodes", "limited")));
  EXPECT_FALSE(running->metric(series("stats_inodes_used", "limited")));
  EXPECT_FALSE(running->metric(series("inodes_usage_ratio", "limited")));
}

TEST_P(QuotaOn, ANewLimitIsFollowed) {
  const std::string where = volume("limited", "/limited", 7);
  set_limit(disk, 7, 16 << 20);
  write(where + "/file", 2 << 20);
  must_run({"sync", "-f", disk});
  const auto running = agent(false);
  ASSERT_TRUE(running->sees(series("stats_capacity_bytes", "limited"), 16 * kMiB, 60s));
  set_limit(disk, 7, 32 << 20);
  EXPECT_TRUE(running->sees(series("stats_capacity_bytes", "limited"), 32 * kMiB, 60s));
  EXPECT_EQ(running->metric(series("stats_used_bytes", "limited")), du(where));
}

// What the kubelet does with emptyDirs: a project that only counts.
TEST_P(QuotaOn, WithoutALimitTheQuotaIsAskedOrTheDirectoryWalked) {
  const std::string where = volume("counted", "/counted", 8);
  const std::string large = volume("large", "/large", 9);
  set_limit(disk, 9, 10 * kDisk);  // statfs shows no limit above the disk's size
  write(where + "/file", 3 << 20);
  write(large + "/file", 1 << 20);
  write(disk + "/else", 30 << 20);
  must_run({"sync", "-f", disk});
  {
    const auto running = agent(true);
    ASSERT_TRUE(running->sees(method("counted", "quota"), 1, 60s));
    EXPECT_EQ(running->metric(series("stats_used_bytes", "counted")), du(where));
    EXPECT_EQ(running->metric(series("stats_inodes_used", "counted")), 2);
    EXPECT_FALSE(running->metric(series("stats_capacity_bytes", "counted")));
    ASSERT_TRUE(running->sees(method("large", "quota"), 1, 60s));
    EXPECT_EQ(running->metric(series("stats_used_bytes", "large")), du(large));
    EXPECT_EQ(running->metric(series("stats_capacity_bytes", "large")), 10 * kDisk);
  }
  const auto running = agent(false);
  for (const char* name : {"counted", "large"}) {
    ASSERT_TRUE(running->sees(method(name, "walk"), 1, 60s)) << name;
    EXPECT_FALSE(running->metric(series("stats_capacity_bytes", name))) << "the disk's isn't its";
  }
  EXPECT_EQ(running->metric(series("stats_used_bytes", "counted")), du(where));
  EXPECT_EQ(running->metric(series("stats_used_bytes", "large")), du(large));
}

TEST_P(QuotaOn, AProjectThatVolumesShareAnswersForNone) {
  // Directories in a project's directory, and directories that were given the same project.
  make_directories(disk + "/tenant");
  set_project(disk + "/tenant", 11);
  set_limit(disk, 11, 64 << 20);
  const std::string a = volume("a", "/tenant/a", 0);
  const std::string b = volume("b", "/tenant/b", 0);
  const std::string c = volume("c", "/c", 12);
  const std::string d = volume("d", "/d", 12);
  set_limit(disk, 12, 64 << 20);
  write(a + "/file", 1 << 20);
  write(b + "/file", 2 << 20);
  write(c + "/file", 3 << 20);
  write(d + "/file", 4 << 20);
  must_run({"sync", "-f", disk});
  const auto running = agent(true);
  const std::vector<std::pair<const char*, std::string>> volumes = {
      {"a", a}, {"b", b}, {"c", c}, {"d", d}};
  for (const auto& [name, where] : volumes) {
    EXPECT_TRUE(running->sees(method(name, "walk"), 1, 60s)) << name;
    EXPECT_TRUE(running->sees(series("stats_used_bytes", name), static_cast<double>(du(where))))
        << name;
  }
  // And so it stays when they are walked again.
  const std::string when =
      pod_series("last_measured_timestamp_seconds", "u", "d", "local", ",measurer=\"usage\"");
  for (int again = 0; again < 3; ++again) {
    const auto before = running->metric(when);
    ASSERT_TRUE(eventually([&] { return running->metric(when) > before; }, 60s));
    for (const auto& [name, where] : volumes) {
      EXPECT_EQ(running->metric(method(name, "walk")), 1) << name;
    }
  }
}

// Root may go beyond a quota (CAP_SYS_RESOURCE); a probe may not.
TEST_P(QuotaOn, AFullQuotaHasNoProbes) {
  ApiServer api;
  ClaimSpec claim{"shop", "db", "limited", "4Mi"};
  claim.source_json = R"("local":{"path":"/limited"})";
  claim.annotations_json = R"("volumeter.io/probe":"on","volumeter.io/burst":"on")";
  put_claim(api, claim);
  api.set_pod("u", pod_json("shop", "db-0", "u", claim_volume_json("data", "db")));
  const std::string where = volume("limited", "/limited", 7);
  set_limit(disk, 7, 4 << 20);
  const Agent agent(flags({"--interval=1s", "--worker.deadline=900ms", "--probe.interval=1s",
                           "--probe.burst-interval=2s", "--kube.api-url=" + api.url()}));
  const std::string labels = R"({namespace="shop",persistentvolumeclaim="db")";
  ASSERT_TRUE(agent.ready(60s));
  // Near its edge a pulse fits and a burst doesn't.
  EXPECT_TRUE(eventually(
      [&] {
        return agent.metric("volumeter_probe_skipped_total" + labels + ",reason=\"burst_full\"}") >=
               1;
      },
      60s))
      << agent.get("/metrics").body;
  write(where + "/file", 5 << 20);
  must_run({"sync", "-f", disk});
  const auto full = [&] {
    return agent.metric("volumeter_probe_skipped_total" + labels + ",reason=\"full\"}");
  };
  EXPECT_TRUE(eventually([&] { return full() >= 2; }, 60s)) << agent.get("/metrics").body;
}

INSTANTIATE_TEST_SUITE_P(Filesystems, QuotaOn, testing::Values("ext4", "xfs"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace volumeter::test
