// A real NFS mount whose server stops. The kernel's server is the whole machine's: only where the
// machine is the test's own (make test-vm).
#include <sys/mount.h>

#include <cstdlib>

#include "system_test.h"

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
    must_run({"exportfs", "-o", "rw,fsid=0,no_root_squash,no_subtree_check,insecure",
              "127.0.0.1:" + export_});
    start_server();
  }
  void TearDown() override {
    if (export_.empty()) return;
    start_server();  // what hangs ends
    if (!mounted_.empty()) must_run({"umount", "-l", mounted_});
    must_run({"exportfs", "-u", "127.0.0.1:" + export_});
    stop_server();
    Node::unmount(export_);
  }

  static void start_server() { must_run({"rpc.nfsd", "-N", "3", "-H", "127.0.0.1", "2"}); }
  static void stop_server() { must_run({"rpc.nfsd", "0"}); }
  void mount_at(const std::string& where) {
    Node::mount("127.0.0.1:/", where, "nfs4", 0,
                "addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,proto=tcp,hard,timeo=20");
    mounted_ = where;
  }

  std::string export_;
  std::string mounted_;
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

TEST_F(NfsTest, TheAgentEndsWhileAServerIsGone) {
  mount_at(node->volume_dir("u", "nfs", "share"));
  Agent agent(flags({"--interval=1s", "--worker.deadline=800ms"}));
  ASSERT_TRUE(agent.ready());
  stop_server();
  ASSERT_TRUE(agent.sees(pod_series("responsive", "u", "share", "nfs"), 0, 60s));
  agent.process().signal(SIGTERM);
  EXPECT_EQ(agent.process().wait(30s), 0);
}

}  // namespace
}  // namespace volumeter::test
