// The agent on volumes that share a filesystem: each has its own numbers.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "system_test.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::size_t bytes) {
  std::ofstream(path) << std::string(bytes, 'x');
}

class UsageTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    disk = node->directory() + "/disk";
    make_directories(disk);
    node->mount_image(node->image("ext4", 320 << 20), "ext4", disk);
  }

  // The directory `root` of the disk as the local volume `name` of pod `uid`.
  std::string local_volume(const std::string& uid, const std::string& name,
                           const std::string& root) {
    make_directories(disk + root);
    const std::string where = node->volume_dir(uid, "local-volume", name);
    Node::bind(disk + root, where);
    return where;
  }

  static std::string used(const std::string& uid, const std::string& volume,
                          const std::string& type = "local") {
    return pod_series("stats_used_bytes", uid, volume, type);
  }
  static std::string method(const std::string& uid, const std::string& volume,
                            const std::string& name, const std::string& type = "local") {
    return pod_series("usage_method", uid, volume, type, ",method=\"" + name + "\"");
  }

  // More entries than two slices of 50 ms can count.
  static constexpr int kLinks = 200'000;
  static void many_links(const std::string& where) {
    for (int i = 0; i < kLinks; ++i) {
      const std::string file = where + "/f" + std::to_string(i / 60'000);
      if (i % 60'000 == 0) write(file, 1);
      ASSERT_EQ(::link(file.c_str(), (where + "/l" + std::to_string(i)).c_str()), 0);
    }
  }

  // It has started, and dropped its rights.
  static bool in_sandbox(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    const std::string status{std::istreambuf_iterator<char>(file), {}};
    return status.find("NoNewPrivs:\t1") != std::string::npos;
  }
  static std::uint64_t cpu_ns(pid_t pid) {
    std::uint64_t ns = 0;
    std::ifstream("/proc/" + std::to_string(pid) + "/schedstat") >> ns;
    return ns;
  }

  // Worker processes of `agent` that may list directories.
  static std::vector<pid_t> listing_workers(const Agent& agent) {
    std::vector<pid_t> found;
    for (const pid_t pid : process_tree(agent.pid())) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
      const std::string arguments{std::istreambuf_iterator<char>(file), {}};
      if (arguments.find("listing") != std::string::npos) found.push_back(pid);
    }
    return found;
  }

  std::string disk;
};

TEST_F(UsageTest, EachDirectoryHasItsOwnNumbers) {
  const std::string a = local_volume("u", "a", "/a");
  const std::string b = local_volume("u", "b", "/b");
  const std::string inside = local_volume("u", "inside", "/a/inside");
  const std::string twin = local_volume("u2", "a", "/a");
  const std::string scratch = node->volume_dir("u", "empty-dir", "scratch");
  write(a + "/file", 3 << 20);
  write(b + "/file", 5 << 20);
  fs::create_hard_link(disk + "/b/file", disk + "/b/again");
  fs::create_hard_link(disk + "/b/file", disk + "/a/from-b");
  write(inside + "/file", 1 << 20);
  write(scratch + "/file", 2 << 20);
  must_run({"sync", "-f", disk});
  must_run({"sync", "-f", scratch});
  Agent agent(flags({"--interval=1s", "--worker.deadline=500ms", "--usage.walk-interval=1s"}));
  ASSERT_TRUE(agent.ready());
  const auto is = [&](const std::string& series, std::uint64_t bytes) {
    return agent.sees(series, static_cast<double>(bytes));
  };
  EXPECT_TRUE(is(used("u", "a"), du(disk + "/a"))) << "with the volume inside, as du counts";
  EXPECT_TRUE(is(used("u", "b"), du(disk + "/b")));
  EXPECT_TRUE(is(used("u", "inside"), du(disk + "/a/inside")));
  EXPECT_TRUE(is(used("u2", "a"), du(disk + "/a")));
  EXPECT_TRUE(is(used("u", "scratch", "emptyDir"), du(scratch)));
  EXPECT_TRUE(is(method("u", "b", "walk"), 1));
  EXPECT_EQ(agent.metric(pod_series("walk_entries", "u", "b", "local")), 3);
  EXPECT_EQ(agent.metric(pod_series("stats_inodes_used", "u", "b", "local")), 2) << "a link twice";
  EXPECT_FALSE(agent.metric(pod_series("usage_ratio", "u", "b", "local"))) << "promised nothing";
  EXPECT_FALSE(agent.metric(pod_series("stats_available_bytes", "u", "b", "local")));

  const timespec times[2] = {{1'700'000'000, 0}, {1'700'000'000, 0}};
  ::utimensat(AT_FDCWD, (b + "/file").c_str(), times, 0);
  EXPECT_TRUE(agent.sees(pod_series("last_write_timestamp_seconds", "u", "b", "local"), 1.7e9));
  write(b + "/more", 1 << 20);
  must_run({"sync", "-f", disk});
  EXPECT_TRUE(is(used("u", "b"), du(disk + "/b"))) << "and it is walked again";
}

TEST_F(UsageTest, SizesAreWhatWasPromised) {
  ApiServer api;
  ClaimSpec claim{"shop", "reports", "pv-1", "4Mi"};
  claim.source_json = R"("local":{"path":"/x"})";
  claim.annotations_json = R"("volumeter.io/walk":"maybe")";
  put_claim(api, claim);
  write(local_volume("u1", "pv-1", "/reports") + "/file", 3 << 20);
  write(node->volume_dir("u1", "empty-dir", "cache") + "/file", 2 << 20);
  api.set_pod("u1", pod_json("shop", "web", "u1",
                             claim_volume_json("reports", "reports") +
                                 R"(,{"name":"cache","emptyDir":{"sizeLimit":"1Mi"}})"));
  must_run({"sync", "-f", disk});
  Agent agent(flags({"--kube.api-url=" + api.url(), "--usage.walk-interval=1s"}));
  ASSERT_TRUE(agent.ready());
  const auto of_claim = [](const std::string& family) {
    return "volumeter_volume_" + family + "{namespace=\"shop\",persistentvolumeclaim=\"reports\"}";
  };
  const auto of_cache = [](const std::string& family) {
    return "volumeter_pod_volume_" + family +
           "{namespace=\"shop\",pod=\"web\",volume=\"cache\",type=\"emptyDir\"}";
  };
  EXPECT_NE(agent.log().find("must be \\\"on\\\" or \\\"off\\\"\" volume=\"shop/web reports\" "
                             "annotation=\"volumeter.io/walk\" value=\"maybe\""),
            std::string::npos)
      << agent.log();
  const auto bytes = static_cast<double>(du(disk + "/reports"));
  EXPECT_TRUE(agent.sees(of_claim("stats_used_bytes"), bytes));
  EXPECT_EQ(agent.metric(of_claim("stats_capacity_bytes")), 4 << 20);
  EXPECT_EQ(agent.metric(of_claim("usage_ratio")), bytes / (4 << 20));
  EXPECT_EQ(agent.metric(of_claim("capacity_enforced")), 0);
  EXPECT_TRUE(agent.sees(of_cache("stats_capacity_bytes"), 1 << 20));
  EXPECT_GT(agent.metric(of_cache("usage_ratio")), 1.9) << "it holds more than promised";
  EXPECT_EQ(agent.metric(of_cache("capacity_enforced")), 1) << "the kubelet evicts the pod";
}

// emptyDirs, logs and writable layers; the limit as the kubelet adds it up.
TEST_F(UsageTest, EphemeralStorageIsSummedForEachPod) {
  ApiServer api;
  const std::string id(64, 'c');
  const std::string layers = node->directory() + "/layers";
  const std::string root = node->directory() + "/task/" + id + "/rootfs";
  for (const char* part : {"/lower", "/upper", "/work"}) make_directories(layers + part);
  make_directories(root);
  Node::mount(
      "overlay", root, "overlay", 0,
      "lowerdir=" + layers + "/lower,upperdir=" + layers + "/upper,workdir=" + layers + "/work");
  write(root + "/written", 3 << 20);
  const std::string scratch = node->volume_dir("u1", "empty-dir", "scratch");
  write(scratch + "/file", 2 << 20);
  must_run({"sync", "-f", scratch});
  make_directories("/var/log/pods/shop_web_u1/a");
  write("/var/log/pods/shop_web_u1/a/0.log", 5000);
  const std::string limits = R"("resources":{"limits":{"ephemeral-storage":"4Mi"}})";
  const auto pod = [&](const std::string& container) {
    return R"({"metadata":{"namespace":"shop","name":"web","uid":"u1"},"spec":{"volumes":[)"
           R"({"name":"scratch","emptyDir":{}}],"containers":[{"name":"a",)" +
           limits + R"(},{"name":"b",)" + limits + R"(}]},"status":{"phase":"Running",)" +
           R"("containerStatuses":[{"name":"a","containerID":"containerd://)" + container +
           R"(","state":{"running":{}}}]}})";
  };
  api.set_pod("u1", pod("unknown-layer"));
  Agent agent(flags({"--kube.api-url=" + api.url(), "--usage.walk-interval=1s"}));
  ASSERT_TRUE(agent.ready());
  const auto series = [](const std::string& what) {
    return "volumeter_pod_ephemeral_storage_" + what + "{namespace=\"shop\",pod=\"web\"}";
  };
  EXPECT_TRUE(agent.sees(series("limit_bytes"), 8 << 20));
  ASSERT_TRUE(
      agent.sees("volumeter_pod_volume_stats_used_bytes{namespace=\"shop\",pod=\"web\","
                 "volume=\"scratch\",type=\"emptyDir\"}",
                 static_cast<double>(du(scratch))));
  EXPECT_FALSE(agent.metric(series("used_bytes"))) << "a part of it isn't known";
  api.set_pod("u1", pod(id));
  EXPECT_TRUE(agent.sees(
      series("used_bytes"),
      static_cast<double>(du(scratch) + du(layers + "/upper") + du("/var/log/pods/shop_web_u1"))));
  EXPECT_TRUE(agent.metric(series("last_measured_timestamp_seconds")));
  Node::unmount(root);
}

TEST_F(UsageTest, WhatIsNobodysDataIsNotWalked) {
  ApiServer api;
  make_directories(node->directory() + "/data");
  write(node->directory() + "/data/file", 1 << 20);
  fs::create_directory_symlink(node->directory(), node->directory() + "/link");
  api.set_pod("u1", pod_json("shop", "web", "u1",
                             R"({"name":"node","hostPath":{"path":")" + node->directory() +
                                 R"("}},{"name":"link","hostPath":{"path":")" + node->directory() +
                                 R"(/link/data"}},{"name":"data","hostPath":{"path":")" +
                                 node->directory() + R"(//data/"}})"));
  make_directories(node->kubelet() + "/pods/u1/volumes");
  Agent agent(flags({"--kube.api-url=" + api.url(), "--usage.walk-interval=1s"}));
  ASSERT_TRUE(agent.ready());
  const auto series = [](const std::string& volume, const std::string& method) {
    return "volumeter_pod_volume_usage_method{namespace=\"shop\",pod=\"web\",volume=\"" + volume +
           "\",type=\"hostPath\",method=\"" + method + "\"}";
  };
  EXPECT_TRUE(agent.sees(series("data", "walk"), 1));
  const auto walks = [&] { return agent.metric("volumeter_walk_cpu_seconds_total"); };
  const auto before = walks();
  EXPECT_TRUE(eventually([&] { return walks() > before; })) << "everything had its turn";
  EXPECT_EQ(agent.metric(series("node", "none")), 1) << "it holds the kubelet's directory";
  EXPECT_EQ(agent.metric(series("link", "none")), 1) << "links aren't followed";
  EXPECT_EQ(agent.get("/metrics").body.find("measure_errors_total{"), std::string::npos)
      << "and that is no error";
}

TEST_F(UsageTest, ResultsSurviveARestartWithTheirAge) {
  write(local_volume("u", "a", "/a") + "/file", 3 << 20);
  must_run({"sync", "-f", disk});
  const std::string state = "--state.dir=" + node->directory() + "/state";
  const std::string when =
      pod_series("last_measured_timestamp_seconds", "u", "a", "local", ",measurer=\"usage\"");
  std::optional<double> first;
  {
    Agent agent(flags({state}));
    ASSERT_TRUE(agent.sees(used("u", "a"), static_cast<double>(du(disk + "/a"))));
    first = agent.metric(when);
    agent.process().signal(SIGTERM);
    ASSERT_EQ(agent.process().wait(10s), 0);
  }
  const std::uint64_t before = du(disk + "/a");
  write(disk + "/a/more", 1 << 20);
  Agent agent(flags({state}));
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(agent.metric(used("u", "a")), static_cast<double>(before)) << "not walked again yet";
  EXPECT_NEAR(agent.metric(when).value_or(0), first.value_or(-1), 0.01);
  agent.process().signal(SIGTERM);
  ASSERT_EQ(agent.process().wait(10s), 0);

  // A file that makes no sense costs one walk.
  std::ofstream(node->directory() + "/state/walks.json") << "{\"walks\":3}";
  Agent fresh(flags({state}));
  EXPECT_TRUE(fresh.sees(used("u", "a"), static_cast<double>(du(disk + "/a"))));
  EXPECT_NE(fresh.log().find("results of earlier walks can't be used"), std::string::npos);
}

TEST_F(UsageTest, UntilItsFirstWalkIsDoneAVolumeHasNoUsage) {
  const std::string where = local_volume("u", "a", "/a");
  many_links(where);
  // A budget that pays for no second slice for seconds.
  Agent agent(flags({"--interval=1s", "--worker.deadline=500ms", "--usage.walk-interval=1ms"}));
  ASSERT_TRUE(agent.ready());
  const std::string progress = pod_series("walk_progress_entries", "u", "a", "local");
  ASSERT_TRUE(eventually([&] { return agent.metric(progress).value_or(0) > 0; }));
  const Metrics now = agent.metrics();
  EXPECT_LT(now.at(progress), kLinks);
  EXPECT_FALSE(now.contains(used("u", "a"))) << "a part is not the whole";
  EXPECT_TRUE(now.contains(method("u", "a", "none")));
  EXPECT_NE(agent.get("/").body.find("its first walk has counted"), std::string::npos);
  EXPECT_NE(http_get(agent.port(), "/", "Accept: text/html\r\n").body.find("entries so far"),
            std::string::npos);
}

// The worker is killed in the middle: the walk begins anew and ends.
TEST_F(UsageTest, AWalkSurvivesItsWorkersEnd) {
  const std::string where = local_volume("u", "a", "/a");
  many_links(where);
  must_run({"sync", "-f", disk});
  // A budget that lets it run through.
  Agent agent(flags({"--usage.walk-interval=1d"}));
  std::optional<std::uint64_t> start;
  pid_t worker = 0;
  ASSERT_TRUE(eventually([&] {
    const auto workers = listing_workers(agent);
    if (workers.empty() || !in_sandbox(workers.front())) return false;
    worker = workers.front();
    const std::uint64_t now = cpu_ns(worker);
    if (!start) start = now;
    return now - *start > 70'000'000;  // its first slice is over
  }));
  ::kill(worker, SIGKILL);
  ASSERT_FALSE(agent.metric(used("u", "a"))) << "it was in the middle";
  EXPECT_TRUE(agent.sees(used("u", "a"), static_cast<double>(du(disk + "/a")), 60s));
}

TEST_F(UsageTest, AVolumeThatLeavesIsNotHeldUpByItsWalk) {
  for (int round = 0; round < 5; ++round) {
    const std::string name = "v" + std::to_string(round);
    const std::string where = local_volume("u", name, "/" + name);
    for (int i = 0; i < 500; ++i) write(where + "/f" + std::to_string(i), 1);
    Agent agent(flags({"--usage.walk-interval=100ms"}));
    ASSERT_TRUE(agent.sees(method("u", name, "walk"), 1));
    EXPECT_TRUE(eventually([&] { return ::umount2(where.c_str(), 0) == 0; }, 5s));
    fs::remove_all(where);
    EXPECT_TRUE(eventually([&] { return !agent.metric(used("u", name)); }));
  }
}

// The disk beneath dies: statfs goes on answering, listing doesn't.
TEST_F(UsageTest, AWalkThatHangsCostsOneVolumesFreshness) {
  const std::string served = node->directory() + "/served";
  StallFs stall(served, node->image("ext4", 64 << 20));
  const std::string dead = node->directory() + "/dead";
  make_directories(dead);
  node->mount_image(served + "/disk", "ext4", dead);
  for (int i = 0; i < 200; ++i) {
    make_directories(dead + "/v/d" + std::to_string(i));
    write(dead + "/v/d" + std::to_string(i) + "/f", 1);
  }
  must_run({"sync", "-f", dead});
  const std::uint64_t bytes = du(dead + "/v");
  // Nothing of it is remembered.
  Node::unmount(dead);
  node->mount_image(served + "/disk", "ext4", dead);
  make_directories(node->volume_dir("u", "local-volume", "dead"));
  Node::bind(dead + "/v", node->volume_dir("u", "local-volume", "dead"));
  local_volume("u", "well", "/well");
  stall.hold("read");
  Agent agent(flags({"--interval=1s", "--worker.deadline=200ms", "--usage.walk-interval=1s"}));
  ASSERT_TRUE(agent.ready());
  const std::string responsive = pod_series("responsive", "u", "dead", "local");
  EXPECT_TRUE(agent.sees(responsive, 0, 30s));
  EXPECT_TRUE(agent.sees(method("u", "well", "walk"), 1, 30s)) << "others are walked";
  EXPECT_FALSE(agent.metric(used("u", "dead")));
  EXPECT_EQ(agent.metric("volumeter_workers{state=\"stuck\"}"), 1);
  stall.release();
  EXPECT_TRUE(agent.sees(used("u", "dead"), static_cast<double>(bytes), 180s))
      << "it is tried again after a minute at the latest";
  EXPECT_TRUE(agent.sees(responsive, 1, 30s));
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.process().wait(10s), 0);
  Node::unmount(node->volume_dir("u", "local-volume", "dead"));
  Node::unmount(dead);
}

// CephFS keeps sums for each directory: a FUSE server of its type answers for one here.
TEST_F(UsageTest, CephCountsForItself) {
  StallFs ceph(node->csi_dir("u", "ceph"), "", "ceph-fuse");
  ceph.set_attribute("ceph.dir.rbytes", "7340032");
  ceph.set_attribute("ceph.dir.rentries", "42");
  StallFs other(node->csi_dir("u", "other"), "", "s3fs");
  other.set_attribute("ceph.dir.rbytes", "1");
  StallFs bad(node->csi_dir("u", "bad"), "", "ceph-fuse");
  bad.set_attribute("ceph.dir.rbytes", "-7MiB");
  Agent agent(flags({"--interval=1s", "--worker.deadline=900ms", "--usage.walk-interval=1s"}));
  ASSERT_TRUE(agent.ready());
  const auto of = [](const std::string& family, const std::string& volume,
                     const std::string& more = "") {
    return pod_series(family, "u", volume, "csi", more);
  };
  ASSERT_TRUE(agent.sees(of("usage_method", "ceph", ",method=\"ceph-rbytes\""), 1));
  EXPECT_EQ(agent.metric(of("stats_used_bytes", "ceph")), 7340032);
  EXPECT_EQ(agent.metric(of("stats_inodes_used", "ceph")), 42);
  EXPECT_FALSE(agent.metric(of("stats_capacity_bytes", "ceph")));
  ceph.set_attribute("ceph.quota.max_bytes", "8388608");
  EXPECT_TRUE(agent.sees(of("stats_capacity_bytes", "ceph"), 8388608));
  EXPECT_EQ(agent.metric(of("usage_ratio", "ceph")), 0.875);
  EXPECT_EQ(agent.metric(of("capacity_enforced", "ceph")), 1);
  for (const char* volume : {"other", "bad"}) {
    EXPECT_TRUE(agent.sees(of("usage_method", volume, ",method=\"none\""), 1)) << volume;
  }
}

TEST_F(UsageTest, AWalkIsHumble) {
  local_volume("u", "a", "/a");
  Agent agent(flags({"--usage.walk-interval=1s"}));
  ASSERT_TRUE(eventually([&] { return !listing_workers(agent).empty(); }));
  const pid_t worker = listing_workers(agent).front();
  EXPECT_TRUE(eventually([&] { return ::getpriority(PRIO_PROCESS, worker) == 19; }));
  constexpr int kWhoProcess = 1;
  constexpr int kIdleClass = 3;
  EXPECT_EQ(::syscall(SYS_ioprio_get, kWhoProcess, worker) >> 13, kIdleClass);
}

// What a walk found must not outlive the filesystem's silence.
TEST_F(UsageTest, LastValuesAreKeptUntilStale) {
  StallFs ceph(node->csi_dir("u", "ceph"), "", "ceph-fuse");
  ceph.set_attribute("ceph.dir.rbytes", "4096");
  const std::string series = used("u", "ceph", "csi");
  Agent agent(flags({"--interval=500ms", "--worker.deadline=300ms", "--usage.walk-interval=3s",
                     "--stale-after=4s"}));
  ASSERT_TRUE(agent.sees(series, 4096));
  ceph.hold("statfs");
  ASSERT_TRUE(agent.sees(pod_series("responsive", "u", "ceph", "csi"), 0));
  EXPECT_TRUE(agent.metric(series)) << "the last good value stays, for a while";
  EXPECT_TRUE(eventually([&] { return !agent.metric(series); }));
  ceph.release();
  EXPECT_TRUE(agent.sees(series, 4096));
}

TEST_F(UsageTest, WalksCanBeTurnedOff) {
  local_volume("u", "a", "/a");
  Agent agent(flags({"--no-usage.walk"}));
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(agent.metric(method("u", "a", "none")), 1);
  EXPECT_TRUE(listing_workers(agent).empty());
}

TEST_F(UsageTest, DfWalksAndNamesTheMethod) {
  write(local_volume("u", "a", "/a") + "/file", 3 << 20);
  must_run({"sync", "-f", disk});
  std::vector<std::string> command = {VOLUMETER_PATH, "df"};
  for (const std::string& flag : flags()) {
    if (!flag.starts_with("--web")) command.push_back(flag);
  }
  const Output output = run(command);
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_NE(output.text.find("3.0 MiB"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("walk"), std::string::npos) << output.text;
}

}  // namespace
}  // namespace volumeter::test
