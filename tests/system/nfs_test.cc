// A real NFS mount whose server stops. The kernel's server is the whole machine's: only where the
// machine is the test's own (make test-vm).
#include <sys/mount.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "latency_fixture.h"

namespace volumeter::test {
namespace {

class NfsTest : public SystemTest {
 protected:
  void SetUp() override {
    if (std::getenv("VOLUMETER_TEST_VM") == nullptr) {
      GTEST_SKIP() << "stops the machine's NFS server: only in make test-vm";
    }
    SystemTest::SetUp();
    must_run({"modprobe", "-a", "nfsd", "nfsv4"});
    export_ = node->directory() + "/export";
    make_directories(export_);
    make_directories("/var/lib/nfs/rpc_pipefs");
    if (run({"mountpoint", "-q", "/proc/fs/nfsd"}).code != 0) {
      Node::mount("nfsd", "/proc/fs/nfsd", "nfsd", 0);
      Node::mount("rpc_pipefs", "/var/lib/nfs/rpc_pipefs", "rpc_pipefs", 0);
      must_run({"touch", "/var/lib/nfs/etab", "/var/lib/nfs/rmtab", "/etc/exports"});
      must_run({"rpc.mountd", "-N", "3"});
    }
    Node::mount("tmpfs", export_, "tmpfs", 0, "size=8m");
    serve();
  }
  // What is mounted at export_ now.
  void serve() const {
    must_run({"exportfs", "-o", "rw,fsid=0,no_root_squash,no_subtree_check,insecure",
              "127.0.0.1:" + export_});
    start_server();
  }
  void TearDown() override {
    if (export_.empty()) return;
    start_server();  // what hangs ends
    if (!mounted_.empty()) must_run({"umount", "-l", mounted_});
    stop_serving();
    Node::unmount(export_);
  }
  void stop_serving() {
    must_run({"exportfs", "-u", "127.0.0.1:" + export_});
    stop_server();
    if (disk_.empty()) return;
    Node::unmount(export_);
    detach_loop(disk_);
    disk_.clear();
  }
  // Serves a filesystem on a disk that can be slowed down, in place of the one in memory.
  void serve_from_slow_disk() {
    stop_serving();
    make_directories(node->directory() + "/slow");
    slow_.emplace(node->directory() + "/slow", node->image("ext4", 64 << 20));
    disk_ = attach_loop(node->directory() + "/slow/disk");
    Node::mount(disk_, export_, "ext4", 0);
    serve();
  }

  static void start_server() {
    must_run({"rpc.nfsd", "-N", "3", "-H", "127.0.0.1", "2"});
    // There are no clients from before to wait for.
    std::ofstream("/proc/fs/nfsd/v4_end_grace") << "Y" << std::flush;
  }
  static void stop_server() { must_run({"rpc.nfsd", "0"}); }
  void mount_at(const std::string& where) {
    Node::mount("127.0.0.1:/", where, "nfs4", 0,
                "addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,proto=tcp,hard,timeo=20");
    mounted_ = where;
  }

  std::string export_;
  std::string mounted_;
  std::optional<StallFs> slow_;
  std::string disk_;  // what is served lies on it
};

TEST_F(NfsTest, AServerThatStopsCostsItsOwnVolumeOnly) {
  mount_at(node->volume_dir("u", "nfs", "share"));
  tmpfs_volume("u", "neighbour");
  Agent agent(flags({"--interval=1s", "--worker.deadline=800ms"}));
  ASSERT_TRUE(agent.ready());
  const std::string responsive = pod_series("responsive", "u", "share", "nfs");
  const std::string capacity =
      "volumeter_filesystem_capacity_bytes{device=\"127.0.0.1:/\",mountpoint=\"\",fstype="
      "\"nfs4\"}";
  ASSERT_TRUE(agent.sees(responsive, 1));
  ASSERT_TRUE(agent.sees(capacity, 8 << 20)) << "the share's own numbers";
  EXPECT_FALSE(agent.metric(pod_series("stats_capacity_bytes", "u", "share", "nfs")))
      << "a share isn't a volume's own";

  stop_server();
  EXPECT_TRUE(agent.sees(responsive, 0, 60s));
  const std::string measured =
      pod_series("last_measured_timestamp_seconds", "u", "neighbour", "csi", ",measurer=\"usage\"");
  const auto before = agent.metric(measured);
  EXPECT_TRUE(eventually([&] { return agent.metric(measured) > before; }))
      << "its neighbour is measured as before";
  EXPECT_TRUE(agent.metric(capacity)) << "the last good value stays, for a while";
  EXPECT_LE(agent.metric("volumeter_workers{state=\"stuck\"}"), 1);

  start_server();
  EXPECT_TRUE(agent.sees(responsive, 1, 120s));
}

// Nobody walks a share unasked; and of the nodes that mount it, the one that holds its Lease.
TEST_F(NfsTest, AShareIsWalkedWhereItsOwnerWantsItAndByOneNode) {
  ApiServer api;
  mount_at(node->volume_dir("u", "nfs", "pv-1"));
  std::ofstream(export_ + "/file") << std::string(1 << 20, 'x');
  ClaimSpec claim{"shop", "reports", "pv-1", "4Mi"};
  claim.access_mode = "ReadWriteMany";
  claim.source_json = R"("nfs":{"server":"127.0.0.1","path":"/"})";
  put_claim(api, claim);
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("reports", "reports")));
  const std::vector<std::string> options =
      flags({"--kube.api-url=" + api.url(), "--usage.walk-interval=1s", "--interval=1s",
             "--worker.deadline=900ms", "--kube.lease-namespace=volumeter"});
  const std::string labels = "{namespace=\"shop\",persistentvolumeclaim=\"reports\"";
  const std::string unknown = "volumeter_volume_usage_method" + labels + ",method=\"none\"}";
  const std::string used = "volumeter_volume_stats_used_bytes" + labels + "}";
  const auto started = [&](const std::string& name) {
    auto more = options;
    more.push_back("--kube.node-name=" + name);
    return std::make_unique<Agent>(more);
  };
  {
    const auto first = started("node-a");
    ASSERT_TRUE(first->ready(60s));
    EXPECT_TRUE(first->sees(unknown, 1, 60s)) << "not asked for";
  }
  claim.annotations_json = R"("volumeter.io/walk":"on")";
  put_claim(api, claim);
  const auto first = started("node-a");
  EXPECT_TRUE(first->sees(used, static_cast<double>(du(mounted_)), 60s));
  const auto second = started("node-b");
  ASSERT_TRUE(second->ready(60s));
  EXPECT_TRUE(second->sees(unknown, 1, 60s)) << "the first one walks it";
  EXPECT_FALSE(second->metric(used));
}

// As the client's own statistics have it.
TEST_F(NfsTest, OperationsAreToldByClaim) {
  mount_at(node->volume_dir("u", "nfs", "share"));
  Agent agent(flags({"--interval=1s", "--worker.deadline=900ms"}));
  ASSERT_TRUE(agent.ready());
  must_run({"dd", "if=/dev/zero", "of=" + mounted_ + "/file", "bs=64k", "count=20", "conv=fsync"});
  const auto series = [](const std::string& name, const std::string& operation) {
    return pod_series("nfs_operations_" + name, "u", "share", "nfs",
                      ",operation=\"" + operation + "\"");
  };
  const Metrics metrics = agent.metrics();
  std::map<std::string, std::vector<double>> expected;  // requests, ..., queue, round trip, all
  std::ifstream mountstats("/proc/self/mountstats");
  bool here = false;
  for (std::string line; std::getline(mountstats, line);) {
    if (line.starts_with("device ")) here = line.find(mounted_) != std::string::npos;
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (here && (name == "WRITE:" || name == "GETATTR:")) {
      auto& values = expected[name.substr(0, name.size() - 1)];
      for (double value = 0; words >> value;) values.push_back(value);
    }
  }
  ASSERT_GE(expected["WRITE"].size(), 8U);
  EXPECT_GE(expected["WRITE"][0], 1);
  EXPECT_EQ(metrics.at(series("requests_total", "WRITE")), expected["WRITE"][0]);
  EXPECT_EQ(metrics.at(series("retransmissions_total", "WRITE")), 0);
  EXPECT_DOUBLE_EQ(metrics.at(series("queue_time_seconds_total", "WRITE")),
                   expected["WRITE"][5] * 1e-3);
  EXPECT_DOUBLE_EQ(metrics.at(series("response_time_seconds_total", "WRITE")),
                   expected["WRITE"][6] * 1e-3);
  EXPECT_DOUBLE_EQ(metrics.at(series("request_time_seconds_total", "WRITE")),
                   expected["WRITE"][7] * 1e-3);
  EXPECT_GE(metrics.at(series("requests_total", "GETATTR")), 1);
}

TEST_F(NfsTest, TheAgentEndsWhileAServerIsGone) {
  mount_at(node->volume_dir("u", "nfs", "share"));
  Agent agent(flags({"--interval=1s", "--worker.deadline=800ms"}));
  ASSERT_TRUE(agent.ready());
  stop_server();
  ASSERT_TRUE(agent.sees(pod_series("responsive", "u", "share", "nfs"), 0, 60s));
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.process().wait(30s), 0);
}

// NFS has no unnamed files: nothing is written until its owner agrees to a name.
TEST_F(NfsTest, AShareIsProbedUnderANameOnly) {
  ApiServer api;
  mount_at(node->volume_dir("u", "nfs", "pv-1"));
  ClaimSpec claim{"shop", "reports", "pv-1", "4Mi"};
  claim.source_json = R"("nfs":{"server":"127.0.0.1","path":"/"})";
  claim.annotations_json = R"("volumeter.io/probe":"on")";
  put_claim(api, claim);
  api.set_pod("u", pod_json("shop", "web", "u", claim_volume_json("reports", "reports")));
  const std::string labels = R"({namespace="shop",persistentvolumeclaim="reports")";
  const std::vector<std::string> options =
      flags({"--interval=1s", "--worker.deadline=900ms", "--probe.interval=1s",
             "--kube.api-url=" + api.url()});
  {
    const Agent agent(options);
    EXPECT_TRUE(eventually(
        [&] {
          return agent.metric("volumeter_probe_skipped_total" + labels +
                              ",reason=\"unsupported\"}") >= 2;
        },
        60s))
        << agent.get("/metrics").body;
  }
  claim.annotations_json = R"("volumeter.io/probe":"named-file")";
  put_claim(api, claim);
  const Agent agent(options);
  const auto writes = [&] {
    return agent.metric("volumeter_probe_duration_seconds_count" + labels +
                        ",operation=\"write_sync\"}");
  };
  EXPECT_TRUE(eventually([&] { return writes() >= 2; }, 60s)) << agent.get("/metrics").body;
  EXPECT_TRUE(eventually([&] { return std::filesystem::is_empty(export_); }));
}

// The application's wait for its server, on a share and under its claim's name.
TEST_F(NfsTest, SyncsAreAsSlowAsTheServersDisk) {
  serve_from_slow_disk();
  const std::string where = node->volume_dir(kPod, "nfs", "share");
  mount_at(where);
  Agent::Options options;
  options.latency = true;
  const Agent agent(flags({"--interval=1s", "--worker.deadline=800ms"}), options);
  ASSERT_TRUE(agent.ready(60s));
  ASSERT_TRUE(eventually([&] { return syncs_were_tried(agent); }, 120s)) << agent.log();
  slow_->delay(100);
  const Json sync = fio({"--directory=" + where, "--rw=randwrite", "--size=1m", "--number_ios=6",
                         "--fsync=1", "--direct=0"})["sync"]["lat_ns"];
  slow_->delay(0);
  const auto value = [&](const std::string& metric) {
    return agent.metric(pod_series(metric, kPod, "share", "nfs")).value_or(0);
  };
  EXPECT_EQ(value("sync_latency_seconds_count"), 5);
  const double felt = sync["mean"].get<double>() / 1e9;
  EXPECT_GE(felt, 0.1);
  EXPECT_NEAR(value("sync_latency_seconds_sum") / 5, felt, felt * 0.1);
  EXPECT_EQ(agent.get("/metrics").body.find("wait_seconds_total{"), std::string::npos)
      << "nobody here can tell what the server waits for";
}

}  // namespace
}  // namespace volumeter::test
