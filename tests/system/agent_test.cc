// The agent on a node with real filesystems, as its users meet it.
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "system_test.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

class AgentTest : public SystemTest {};

std::string claim(const std::string& metric, const std::string& name,
                  const std::string& more = "") {
  return "volumeter_volume_" + metric + "{namespace=\"shop\",persistentvolumeclaim=\"" + name +
         "\"" + more + "}";
}

TEST_F(AgentTest, NumbersAreTheKernelsAndNamesTheApiServers) {
  ApiServer api;
  const std::string where = node->csi_dir("u", "pv-1");
  node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
  fill(where, 0.85);
  put_claim(api, {"shop", "data", "pv-1", "64Mi"});
  const std::string disk = attach_loop(node->image("", 8 << 20));
  node->block_volume("u", "pv-raw", disk);
  ClaimSpec raw{"shop", "raw", "pv-raw", "8Mi"};
  raw.mode = "Block";
  put_claim(api, raw);
  make_directories(node->directory() + "/share");
  Node::bind(node->directory() + "/share", node->csi_dir("u", "pv-shared"));
  put_claim(api, {"shop", "shared", "pv-shared", "1Gi"});
  api.set_pod("u", pod_json("shop", "db-0", "u",
                            claim_volume_json("d", "data") + "," + claim_volume_json("r", "raw") +
                                "," + claim_volume_json("s", "shared") +
                                R"(,{"name":"tmp","emptyDir":{"sizeLimit":"5Mi"}})",
                            "StatefulSet", "db"));
  make_directories(node->volume_dir("u", "empty-dir", "tmp"));

  Agent agent(flags({"--kube.api-url=" + api.url(), "--kube.node-name=n1"}));
  ASSERT_TRUE(agent.ready());
  const Metrics metrics = agent.metrics();
  struct statvfs st {};
  ASSERT_EQ(::statvfs(where.c_str(), &st), 0);
  const auto frag = static_cast<double>(st.f_frsize);
  EXPECT_EQ(metrics.at(claim("stats_capacity_bytes", "data")),
            static_cast<double>(st.f_blocks) * frag);
  EXPECT_EQ(metrics.at(claim("stats_used_bytes", "data")),
            static_cast<double>(st.f_blocks - st.f_bfree) * frag);
  EXPECT_EQ(metrics.at(claim("stats_inodes", "data")), static_cast<double>(st.f_files));
  EXPECT_NEAR(metrics.at(claim("usage_ratio", "data")), 0.85, 0.01);
  EXPECT_EQ(metrics.at(claim("requested_bytes", "data")), 64 << 20);
  EXPECT_EQ(metrics.at(claim("access_mode", "data", ",access_mode=\"ReadWriteOnce\"")), 1);

  EXPECT_EQ(metrics.at(claim("stats_capacity_bytes", "raw")), 8 << 20);
  EXPECT_FALSE(metrics.contains(claim("stats_used_bytes", "raw"))) << "who knows what is on it";
  EXPECT_EQ(metrics.at(claim("mounted", "raw")), 1);

  EXPECT_FALSE(metrics.contains(claim("stats_used_bytes", "shared"))) << "not the node's bytes";
  EXPECT_EQ(metrics.at(claim("usage_method", "shared", ",method=\"none\"")), 1);
  EXPECT_EQ(metrics.at("volumeter_pod_volume_requested_bytes{namespace=\"shop\",pod=\"db-0\","
                       "volume=\"tmp\",type=\"emptyDir\"}"),
            5 << 20);
  EXPECT_EQ(metrics.at("volumeter_metadata_source_up{source=\"apiserver\"}"), 1);
  detach_loop(disk);
}

TEST_F(AgentTest, ADepartedVolumeLeavesAndANewOneAppears) {
  const std::string first = tmpfs_volume("u1", "v1");
  Agent agent(flags({"--interval=300ms", "--worker.deadline=200ms"}));
  ASSERT_TRUE(agent.sees(pod_series("mounted", "u1", "v1"), 1));
  Node::unmount(first);
  EXPECT_TRUE(agent.sees(pod_series("mounted", "u1", "v1"), 0)) << "its directory is still there";
  EXPECT_FALSE(agent.metric(pod_series("stats_used_bytes", "u1", "v1")))
      << "never the node's disk beneath";
  fs::remove_all(node->kubelet() + "/pods/u1");
  EXPECT_TRUE(eventually([&] { return !agent.metric(pod_series("mounted", "u1", "v1")); }));
  tmpfs_volume("u2", "v2");
  EXPECT_TRUE(agent.sees(pod_series("mounted", "u2", "v2"), 1));
}

TEST_F(AgentTest, WithoutPropagationAVolumeIsNotVisibleAndHasNoNumbers) {
  const std::string where = tmpfs_volume("u", "v");
  // A procfs whose mount table still lists what the agent's namespace doesn't show.
  const std::string proc = node->directory() + "/frozen";
  make_directories(proc + "/1");
  std::ifstream now("/proc/self/mountinfo");
  std::ofstream(proc + "/1/mountinfo") << now.rdbuf();
  fs::copy_file("/proc/partitions", proc + "/partitions");
  Node::unmount(where);
  Agent agent({"--path.procfs=" + proc, "--path.kubelet=" + node->kubelet()});
  EXPECT_TRUE(agent.sees(
      pod_series("measure_errors_total", "u", "v", "csi", ",reason=\"not_visible\""), 1));
  EXPECT_FALSE(agent.metric(pod_series("stats_capacity_bytes", "u", "v")));
  EXPECT_NE(agent.get("/").body.find("HostToContainer"), std::string::npos);
}

// After an error the superblock is read-only and the pod's mount still says "rw".
TEST_F(AgentTest, AReadOnlySuperblockShows) {
  const std::string staging = node->kubelet() + "/plugins/kubernetes.io/csi/d/x/globalmount";
  node->mount_image(node->image("ext4", 32 << 20), "ext4", staging);
  Node::bind(staging, node->csi_dir("u", "v"));
  Agent agent(flags({"--interval=300ms", "--worker.deadline=200ms"}));
  const std::string by_mount = pod_series("read_only", "u", "v", "csi", ",cause=\"mount\"");
  const std::string by_super = pod_series("read_only", "u", "v", "csi", ",cause=\"superblock\"");
  ASSERT_TRUE(agent.sees(by_super, 0));
  ASSERT_EQ(::mount(nullptr, staging.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  EXPECT_TRUE(agent.sees(by_super, 1));
  EXPECT_EQ(agent.metric(by_mount), 0);
  EXPECT_NE(agent.get("/").body.find("read-only"), std::string::npos);
}

TEST_F(AgentTest, BelowARootfsPathsOfTheHostAreFound) {
  tmpfs_volume("u", "v");
  const std::string rootfs = node->directory() + "/host-root";
  make_directories(rootfs);
  Node::mount("/", rootfs, "", MS_BIND | MS_REC);
  ASSERT_EQ(::mount(nullptr, rootfs.c_str(), nullptr, MS_REC | MS_SLAVE, nullptr), 0);
  Agent agent(flags({"--path.rootfs=" + rootfs}));
  EXPECT_TRUE(agent.sees(pod_series("stats_capacity_bytes", "u", "v"), 1 << 20));
}

TEST_F(AgentTest, HostileNamesAndObjectsHarmNobody) {
  tmpfs_volume("u", "good");
  const std::string bad = "q\"uo\\te\nline\xff";
  Node::mount("tmpfs", node->volume_dir("u", "empty-dir", bad), "tmpfs", 0, "size=1m");
  const std::string plugin = node->kubelet() + "/pods/u/volumes/kubernetes.io~csi";
  fs::create_directory_symlink("/etc", plugin + "/link");
  ASSERT_EQ(::mkfifo((plugin + "/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mknod((plugin + "/device").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  fs::create_directories(plugin + "/cheat");
  fs::create_directory_symlink("/", plugin + "/cheat/mount");
  Agent agent(flags({"--interval=500ms", "--worker.deadline=300ms"}));
  ASSERT_TRUE(agent.ready());
  EXPECT_TRUE(agent.metric(pod_series("stats_used_bytes", "u", "good")));
  const std::string text = agent.get("/metrics").body;
  EXPECT_NE(text.find(R"(volume="q\"uo\\te\\x0aline\\xff")"), std::string::npos);
  EXPECT_EQ(text.find("volume=\"link\""), std::string::npos);
  EXPECT_EQ(agent.metric(pod_series("mounted", "u", "cheat")), 0);
  for (const char* path : {"/", "/api/v1/volumes"}) EXPECT_EQ(agent.get(path).status, 200);
  const std::string file = node->directory() + "/metrics.txt";
  std::ofstream(file) << text;
  if (run({"promtool", "--version"}).code == 0) {
    EXPECT_EQ(run({"sh", "-c", "promtool check metrics < " + file}).code, 0);
  }
}

TEST_F(AgentTest, PodsThatChurnAreNoProblem) {
  tmpfs_volume("stays", "v");
  Agent agent(flags({"--interval=50ms", "--worker.deadline=40ms"}));
  ASSERT_TRUE(agent.ready());
  for (int i = 0; i < 200; ++i) {
    const std::string uid = "churn-" + std::to_string(i);
    const std::string where = tmpfs_volume(uid, "v");
    std::this_thread::sleep_for(5ms);
    ASSERT_TRUE(eventually([&] { return ::umount2(where.c_str(), 0) == 0; }, 1s));
    fs::remove_all(node->kubelet() + "/pods/" + uid);
  }
  EXPECT_EQ(agent.metric(pod_series("responsive", "stays", "v")), 1);
  EXPECT_TRUE(
      eventually([&] { return agent.get("/metrics").body.find("churn-") == std::string::npos; }));
}

// An open fd, O_PATH too, would make the kubelet's unmount fail.
TEST_F(AgentTest, AThousandUnmountsSucceed) {
  constexpr int kVolumes = 20;
  std::vector<std::string> where;
  for (int i = 0; i < kVolumes; ++i) where.push_back(tmpfs_volume("u", "v" + std::to_string(i)));
  Agent agent(flags({"--interval=20ms", "--worker.deadline=15ms"}));
  ASSERT_TRUE(agent.ready());
  int busy = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string& path = where[static_cast<std::size_t>(i % kVolumes)];
    ASSERT_TRUE(eventually(
        [&] {
          const bool done = ::umount2(path.c_str(), 0) == 0;
          busy += done ? 0 : 1;
          return done;
        },
        1s))
        << i;
    Node::mount("tmpfs", path, "tmpfs", 0, "size=1m");
    std::this_thread::sleep_for(2ms);  // some fifty rounds in all
  }
  RecordProperty("busy", busy);
  EXPECT_TRUE(eventually([&] {
    return agent.metric(pod_series("stats_used_bytes", "u", "v0")).has_value();
  })) << "it still measures";
}

TEST_F(AgentTest, ADeletedPodsVolumeIsLeftAlone) {
  ApiServer api;
  StallFs stall(node->csi_dir("u", "pv-1"));  // counts who touches it
  put_claim(api, {"shop", "data", "pv-1", "64Mi"});
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("d", "data"), "", "", true));
  Agent agent(
      flags({"--interval=200ms", "--worker.deadline=150ms", "--kube.api-url=" + api.url()}));
  ASSERT_TRUE(agent.ready());
  ASSERT_NE(agent.get("/metrics").body.find("volumeter_volume_info{namespace=\"shop\""),
            std::string::npos);
  stall.freeze();  // whoever touches it now hangs, and shows
  std::this_thread::sleep_for(2s);
  EXPECT_FALSE(agent.metric(claim("responsive", "data"))) << "nobody has asked it anything";
  EXPECT_EQ(agent.metric("volumeter_workers{state=\"stuck\"}"), 0);
  stall.thaw();
}

TEST_F(AgentTest, NamesFallBackToTheLogsAndComeBack) {
  ApiServer api;
  tmpfs_volume("u", "pv-1");
  make_directories("/var/log/pods/shop_web_u");
  put_claim(api, {"shop", "data", "pv-1", "64Mi"});
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("d", "data")));
  api.fail_with(500);
  Agent agent(
      flags({"--interval=500ms", "--worker.deadline=300ms", "--kube.api-url=" + api.url()}));
  ASSERT_TRUE(agent.ready());
  const std::string poor =
      "volumeter_pod_volume_mounted{namespace=\"shop\",pod=\"web\",volume=\"pv-1\",type=\"csi\"}";
  EXPECT_TRUE(agent.sees(poor, 1));
  EXPECT_EQ(agent.metric("volumeter_metadata_source_up{source=\"apiserver\"}"), 0);
  EXPECT_EQ(agent.metric("volumeter_metadata_source_up{source=\"podlogs\"}"), 1);
  EXPECT_NE(agent.get("/").body.find("pv-1"), std::string::npos);
  api.fail_with(0);
  EXPECT_TRUE(agent.sees(claim("mounted", "data"), 1, 60s));
  EXPECT_FALSE(agent.metric(poor)) << "under one name only";
}

TEST_F(AgentTest, ANewPodWaitsForItsNameRatherThanAppearUnderAnother) {
  ApiServer api;
  Agent agent(
      flags({"--interval=300ms", "--worker.deadline=200ms", "--kube.api-url=" + api.url()}));
  ASSERT_TRUE(agent.ready());
  tmpfs_volume("u", "pv-1");
  put_claim(api, {"shop", "data", "pv-1", "64Mi"});
  std::this_thread::sleep_for(1500ms);
  EXPECT_FALSE(agent.metric(pod_series("mounted", "u", "pv-1")));
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("d", "data")));
  EXPECT_TRUE(agent.sees(claim("mounted", "data"), 1, 4s));
  EXPECT_FALSE(agent.metric(pod_series("mounted", "u", "pv-1")));
}

}  // namespace
}  // namespace volumeter::test
