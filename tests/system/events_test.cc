// What happens on the node shows with the next scrape, not at the next interval: here an hour away.
#include <sys/mount.h>

#include <fstream>
#include <thread>

#include "system_test.h"

namespace volumeter::test {
namespace {

class EventsTest : public SystemTest {
 protected:
  [[nodiscard]] std::vector<std::string> hourly(const ApiServer* api = nullptr) const {
    std::vector<std::string> all = flags({"--interval=1h"});
    if (api != nullptr) all.push_back("--kube.api-url=" + api->url());
    return all;
  }
  static std::string claim(const std::string& metric, const std::string& name,
                           const std::string& more = "") {
    return "volumeter_volume_" + metric + "{namespace=\"shop\",persistentvolumeclaim=\"" + name +
           "\"" + more + "}";
  }
};

TEST_F(EventsTest, AMountIsMeasuredWhenItAppearsAndLeavesWhenItGoes) {
  Agent agent(hourly());
  ASSERT_TRUE(agent.ready());
  const std::string where = tmpfs_volume("u", "pv");
  EXPECT_TRUE(agent.sees(pod_series("stats_capacity_bytes", "u", "pv"), 1 << 20));
  EXPECT_TRUE(agent.sees(pod_series("mounted", "u", "pv"), 1));
  Node::unmount(where);
  EXPECT_TRUE(agent.sees(pod_series("mounted", "u", "pv"), 0)) << "its directory is still there";
  EXPECT_FALSE(agent.metric(pod_series("stats_capacity_bytes", "u", "pv")));
}

// As the kubelet does it: the directory goes a moment after the mount, and nothing announces that.
TEST_F(EventsTest, ADirectoryThatFollowsItsMountTakesItsSeriesWithIt) {
  const std::string where = tmpfs_volume("u", "pv");
  Agent agent(hourly());
  ASSERT_TRUE(agent.ready());
  ASSERT_EQ(agent.metric(pod_series("mounted", "u", "pv")), 1);
  Node::unmount(where);
  ASSERT_TRUE(agent.sees(pod_series("mounted", "u", "pv"), 0));
  must_run({"rm", "-r", where.substr(0, where.rfind('/'))});
  EXPECT_TRUE(eventually([&] { return !agent.metric(pod_series("mounted", "u", "pv")); }));
}

TEST_F(EventsTest, ACompletedPodsVolumeIsNotCalledUnmounted) {
  ApiServer api;
  put_claim(api, {"shop", "data", "pv", "1Mi"});
  std::string pod = pod_json("shop", "job", "u", claim_volume_json("d", "data"), "Job", "job");
  api.set_pod("u", pod);
  const std::string where = tmpfs_volume("u", "pv");
  Agent agent(hourly(&api));
  ASSERT_TRUE(agent.ready());
  ASSERT_EQ(agent.metric(claim("mounted", "data")), 1);
  pod.replace(pod.find("Running"), 7, "Succeeded");
  api.set_pod("u", pod);
  EXPECT_TRUE(eventually([&] { return !agent.metric(claim("mounted", "data")); }));
  Node::unmount(where);
  std::this_thread::sleep_for(500ms);
  EXPECT_FALSE(agent.metric(claim("mounted", "data"))) << "that is how it should be";
}

TEST_F(EventsTest, ARemountIsSeen) {
  const std::string where = tmpfs_volume("u", "pv");
  Agent agent(hourly());
  ASSERT_TRUE(agent.ready());
  const std::string series = pod_series("read_only", "u", "pv", "csi", ",cause=\"mount\"");
  EXPECT_EQ(agent.metric(series), 0);
  Node::mount("none", where, "", MS_REMOUNT | MS_RDONLY | MS_BIND);
  EXPECT_TRUE(agent.sees(series, 1));
}

TEST_F(EventsTest, AVolumeThatAppearsIsNotHeldUpByOneThatHangs) {
  StallFs stall(node->csi_dir("u1", "hung"));
  stall.hold("statfs");
  Agent agent(flags({"--interval=1h", "--worker.deadline=10m"}));
  ASSERT_TRUE(agent.sees(pod_series("mounted", "u1", "hung"), 1)) << "and its answer is awaited";
  tmpfs_volume("u2", "pv");
  EXPECT_TRUE(agent.sees(pod_series("stats_capacity_bytes", "u2", "pv"), 1 << 20));
  stall.release();
}

TEST_F(EventsTest, ANewPodIsKnownByItsClaimAtOnceAndLeavesWhole) {
  ApiServer api;
  put_claim(api, {"shop", "data", "pv", "1Mi"});
  Agent agent(hourly(&api));
  ASSERT_TRUE(agent.ready());
  // As on a real node: the pod is known before the kubelet mounts anything.
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("d", "data")));
  const std::string where = tmpfs_volume("u", "pv");
  EXPECT_TRUE(agent.sees(claim("stats_capacity_bytes", "data"), 1 << 20));
  EXPECT_FALSE(agent.metric(pod_series("mounted", "u", "pv")));

  Node::unmount(where);
  must_run({"rm", "-r", node->kubelet() + "/pods/u"});
  api.remove_pod("u");
  EXPECT_TRUE(eventually([&] {
    return agent.get("/metrics").body.find("\"data\"") == std::string::npos;
  })) << "no series of it is left";
}

TEST_F(EventsTest, APodsDeletionIsRespectedAsSoonAsItIsAnnounced) {
  ApiServer api;
  put_claim(api, {"shop", "data", "pv", "1Mi"});
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("d", "data")));
  StallFs stall(node->csi_dir("u", "pv"));
  std::vector<std::string> all =
      flags({"--interval=300ms", "--worker.deadline=200ms", "--kube.api-url=" + api.url()});
  Agent agent(all);
  ASSERT_TRUE(agent.ready());
  ASSERT_TRUE(agent.sees(claim("responsive", "data"), 1));
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("d", "data"), "", "", true));
  std::this_thread::sleep_for(1s);
  stall.freeze();  // whoever touches it from here on hangs, and shows
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(agent.metric("volumeter_workers{state=\"stuck\"}"), 0);
  stall.thaw();
}

// The kernel announces no change of the mount table when it turns a filesystem read-only itself.
TEST_F(EventsTest, AFilesystemThatTurnsReadOnlyAfterAnErrorIsFoundAtTheNextInterval) {
  const std::string where = node->csi_dir("u", "pv");
  const std::string image = node->image("ext4", 32 << 20);
  must_run({"tune2fs", "-e", "remount-ro", image});
  const std::string device = node->mount_image(image, "ext4", where);
  Agent agent(flags({"--interval=500ms", "--worker.deadline=300ms"}));
  ASSERT_TRUE(agent.ready());
  std::string cause = "superblock";
  const auto series = [&] {
    return pod_series("read_only", "u", "pv", "csi", ",cause=\"" + cause + "\"");
  };
  EXPECT_EQ(agent.metric(series()), 0);
  const std::string trigger =
      "/sys/fs/ext4/" + device.substr(device.rfind('/') + 1) + "/trigger_fs_error";
  std::ofstream(trigger) << "1" << std::flush;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    if (line.find(where) == std::string::npos) continue;
    const bool emergency = line.find(",emergency_ro") != std::string::npos;
    if (emergency) cause = "emergency";
    const bool silent = !emergency && line.find(" ro") == std::string::npos;
    // Between "ext4: don't set SB_RDONLY after filesystem errors" and emergency_ro of 6.15.
    if (silent) GTEST_SKIP() << "this kernel doesn't tell in the mount table: " << line;
  }
  EXPECT_TRUE(agent.sees(series(), 1));
}

TEST_F(EventsTest, WithoutEventsTheIntervalFindsThem) {
  const std::string proc = node->directory() + "/plain/1";
  make_directories(proc);
  const auto write = [&](const std::string& lines) {
    std::ofstream(proc + "/mountinfo.new") << "1 0 7:99 / / rw - ext4 /dev/sda1 rw\n" << lines;
    must_run({"mv", proc + "/mountinfo.new", proc + "/mountinfo"});
  };
  write("");
  const std::string where = node->csi_dir("u", "pv");
  Agent agent({"--path.procfs=" + node->directory() + "/plain", "--path.kubelet=" + node->kubelet(),
               "--interval=500ms", "--worker.deadline=300ms"});
  ASSERT_TRUE(agent.ready());
  EXPECT_NE(agent.log().find("mounts aren't announced"), std::string::npos) << agent.log();
  EXPECT_EQ(agent.metric(pod_series("mounted", "u", "pv")), 0);
  write("2 1 7:98 / " + where + " rw - ext4 /dev/sdb rw\n");
  EXPECT_TRUE(agent.sees(pod_series("mounted", "u", "pv"), 1));
}

}  // namespace
}  // namespace volumeter::test
