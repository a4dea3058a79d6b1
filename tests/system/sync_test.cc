// How long applications wait for syncs, and whose that is: against what fio, databases and the
// kernel say.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "measure/latency/call_record.h"
#include "sync_fixture.h"

namespace volumeter::test {
namespace {

TEST_F(SyncTest, WithoutTracefsTheLogSaysSo) {
  node->mount_image(node->image("ext4", 32 << 20), "ext4", node->csi_dir(kPod, "data"));
  Agent::Options options;
  options.latency = true;
  options.wrapper = {"unshare", "--mount", "--propagation=slave",
                     "sh",      "-c",      "mount -t tmpfs none /sys/kernel/tracing && exec \"$@\"",
                     "sh"};
  const Agent blind(flags({"--interval=500ms", "--worker.deadline=400ms"}), options);
  ASSERT_TRUE(eventually([&] { return syncs_were_tried(blind); }, 120s)) << blind.log();
  if (blind.metric(program("fsync")) == 1) GTEST_SKIP() << "this kernel has fentry";
  EXPECT_NE(blind.log().find("tracefs isn't mounted on /sys/kernel/tracing"), std::string::npos)
      << blind.log();
}

TEST_F(SyncTest, CountsAreFiosExactly) {
  const std::string where = ext4_claim("data");
  const std::string other = ext4_claim("other");
  start();
  if (IsSkipped()) return;
  const std::vector<std::vector<std::string>> jobs = {
      {"--fsync=1"},
      {"--fdatasync=1"},
      {"--ioengine=mmap", "--direct=0", "--fsync=1"},             // msync
      {"--ioengine=io_uring", "--fsync=1"},                       // of a descriptor
      {"--ioengine=io_uring", "--fsync=1", "--registerfiles=1"},  // of a registered file
      {"--direct=0", "--sync_file_range=write:1"},
  };
  for (const auto& job : jobs) {
    std::vector<std::string> arguments = {
        "--directory=" + where, "--rw=randwrite", "--size=4m",
        "--number_ios=100",     "--end_fsync=0",  "--fallocate=none"};
    arguments.insert(arguments.end(), job.begin(), job.end());
    const Waits before = waits("data");
    const Json sync = fio(arguments)["sync"]["lat_ns"];
    const Waits done = waits("data") - before;
    const double least = sync["N"];
    EXPECT_EQ(least, 99);
    // fio unmaps with a last msync, which it doesn't count.
    EXPECT_GE(done.count, least) << job.back();
    EXPECT_LE(done.count, least + (job.front() == "--ioengine=mmap" ? 1 : 0)) << job.back();
    EXPECT_GT(done.seconds, 0) << job.back();
    EXPECT_LE(done.split(), done.seconds * 1.0001) << job.back();
  }
  EXPECT_EQ(waits("other").count, 0);
  EXPECT_EQ(agent->metric("volumeter_sync_calls_lost_total"), 0);
}

TEST_F(SyncTest, AThrottledPodsWaitIsAboveTheDevice) {
  const std::string where = node->csi_dir(kPod, "data");
  const std::string device = node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
  const Cgroup pod(kPod);
  start();
  if (IsSkipped()) return;
  const std::vector<std::string> job = {
      "--directory=" + where, "--rw=randwrite", "--size=4m", "--number_ios=20", "--fsync=1",
      "--overwrite=1",        "--direct=0"};
  fio(job, pod.wrapper());  // with cgroup v2 pages are written back for who wrote first
  pod.limit_writes(device, 5);
  const Waits before = waits("data");
  const Counts device_before = counts("data", "write");
  const Json sync = fio(job, pod.wrapper())["sync"]["lat_ns"];
  const Waits done = waits("data") - before;
  const Counts device_after = counts("data", "write");
  const double felt = sync["mean"].get<double>() / 1e9;
  EXPECT_GT(felt, 0.1) << "fio wasn't throttled";
  EXPECT_NEAR(done.seconds / done.count, felt, felt * 0.1);
  EXPECT_GE(quantile_of(done, 0.5), 0.1);
  EXPECT_GT(done.above, 0.8 * done.split());
  EXPECT_NEAR(done.split(), done.seconds, done.seconds * 0.01);
  EXPECT_LT(bucket_of_quantile(device_before, device_after, 0.5), bucket_of(0.1))
      << "the device knows nothing of it";
}

TEST_F(SlowDiskTest, ItsWaitIsTheDevices) {
  where = node->csi_dir(kPod, "data");
  mount(where);
  start();
  if (IsSkipped()) return;
  slow->delay(20);
  const Waits before = waits("data");
  const Json sync = fio({"--directory=" + where, "--rw=randwrite", "--size=1m", "--number_ios=20",
                         "--fsync=1", "--direct=0"})["sync"]["lat_ns"];
  const Waits done = waits("data") - before;
  EXPECT_EQ(done.count, 19);
  EXPECT_NEAR(done.seconds / done.count, sync["mean"].get<double>() / 1e9,
              sync["mean"].get<double>() / 1e10);
  EXPECT_GT(done.device, 0.8 * done.seconds) << done.queue << " " << done.above;
}

TEST_F(SlowDiskTest, SaturatedItsWaitIsTheQueues) {
  const std::string queue = "/sys/block/" + device.substr(5) + "/queue/";
  std::ofstream(queue + "scheduler") << "mq-deadline" << std::flush;
  std::ofstream(queue + "nr_requests") << "1024" << std::flush;
  where = node->csi_dir(kPod, "data");
  mount(where);
  start();
  if (IsSkipped()) return;
  fio({"--directory=" + where, "--filename=f", "--rw=write", "--size=16m", "--bs=1m"});
  slow->delay(1);
  const Waits before = waits("data");
  Process load({"fio", "--name=load", "--directory=" + where, "--filename=f", "--rw=randwrite",
                "--direct=1", "--bs=4k", "--ioengine=libaio", "--iodepth=900", "--size=16m",
                "--time_based", "--runtime=60", "--output=/dev/null"});
  // A sync that began when there was a queue already.
  ASSERT_TRUE(eventually(
      [&] { return agent->metric(pod_series("io_io_now", kPod, "data")).value_or(0) > 100; }));
  fio({"--directory=" + where, "--rw=randwrite", "--size=64k", "--number_ios=2", "--fsync=1",
       "--direct=0"});
  const Waits done = waits("data") - before;
  // The loop driver takes 128 at a time; of 256, as many wait as are at the device.
  int depth = 0;
  std::ifstream(queue + "nr_requests") >> depth;
  EXPECT_GT(done.queue, (depth >= 1024 ? 0.5 : 0.3) * done.seconds)
      << done.device << " " << done.above << ", of " << depth;
  slow->delay(0);
  load.signal(SIGTERM);
  load.wait(20s);
}

// Two claims of one pod, directories of one disk: only the mount's root tells them apart.
TEST_F(SlowDiskTest, OfTwoClaimsOnItOnlyTheOneThatWaitsShows) {
  mount(where);
  for (const std::string name : {"a", "b"}) {
    make_directories(where + "/" + name);
    mounts.push_back(node->volume_dir(kPod, "local-volume", name));
    Node::bind(where + "/" + name, mounts.back());
  }
  const std::string a = mounts[1];
  const std::string b = mounts[2];
  // A container's subPath is a mount of its own, which the node needn't know.
  make_directories(b + "/sub/path");
  const std::string elsewhere = node->directory() + "/container";
  make_directories(elsewhere);
  mounts.push_back(elsewhere);
  Node::bind(b + "/sub/path", elsewhere);
  start();
  if (IsSkipped()) return;
  const auto writes = [](const std::string& directory) {
    return fio({"--directory=" + directory, "--rw=randwrite", "--size=1m", "--number_ios=10",
                "--fsync=1", "--direct=0"});
  };
  // The inode of each is known once it has answered.
  writes(elsewhere);
  EXPECT_EQ(waits("b", "local").count, 9);
  EXPECT_EQ(waits("a", "local").count, 0);
  const Waits b_before = waits("b", "local");
  slow->delay(20);
  writes(a);
  slow->delay(0);
  const Waits a_done = waits("a", "local");
  EXPECT_EQ(a_done.count, 9);
  EXPECT_GE(quantile_of(a_done, 0.5), 0.025);
  EXPECT_GT(a_done.device, 0.8 * a_done.seconds);
  EXPECT_EQ(waits("b", "local").count, b_before.count);
  EXPECT_EQ(waits("b", "local").seconds, b_before.seconds);
}

// libaio's own call, which fio doesn't make.
void sync_by_aio(int file) {
  aio_context_t context = 0;
  iocb request{};
  request.aio_fildes = static_cast<unsigned>(file);
  request.aio_lio_opcode = IOCB_CMD_FSYNC;
  std::array<iocb*, 1> requests = {&request};
  io_event done{};
  EXPECT_EQ(::syscall(SYS_io_setup, 1, &context), 0);
  EXPECT_EQ(::syscall(SYS_io_submit, context, 1, requests.data()), 1);
  EXPECT_EQ(::syscall(SYS_io_getevents, context, 1, 1, &done, nullptr), 1);
  EXPECT_EQ(done.res, 0);
  ::syscall(SYS_io_destroy, context);
}

TEST_F(SyncTest, LibaiosAreTimedWhereTheKernelLetsUs) {
  const std::string where = ext4_claim("data");
  start();
  if (IsSkipped()) return;
  const UniqueFd file(::open((where + "/f").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ASSERT_TRUE(file);
  // Debian's kernel has fentry; this machine's may have.
  const bool timed = std::getenv("VOLUMETER_TEST_VM") != nullptr ||
                     agent->log().find("attached\" program=\"libaio_sync\"") != std::string::npos;
  EXPECT_TRUE(agent->sees(program("libaio_sync"), timed ? 1 : 0)) << "it says whether it can";
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(::pwrite(file.get(), "x", 1, i), 1);
    sync_by_aio(file.get());
  }
  EXPECT_EQ(waits("data").count, timed ? 5 : 0);
}

// A server that doesn't answer, and more threads that wait for it than there is memory for.
TEST_F(SyncTest, OfMoreSyncsThanFitTheRestIsCountedAsLost) {
  const std::string where = node->csi_dir(kPod, "fuse");
  StallFs server(where, node->image("", 1 << 20));
  ext4_claim("disk");
  start();
  if (IsSkipped()) return;
  constexpr int kThreads = CALL_UNDER_WAY + 2000;
  const auto lost = [&] { return agent->metric("volumeter_sync_calls_lost_total").value_or(-1); };
  const double resident = agent->metric("process_resident_memory_bytes").value_or(0);
  server.hold("write");  // and fsync
  Process storm({STORM_PATH, where + "/disk", std::to_string(kThreads)});
  ASSERT_EQ(storm.read_line(), "all");
  EXPECT_TRUE(eventually([&] { return lost() == kThreads - CALL_UNDER_WAY; })) << lost();
  EXPECT_EQ(waits("fuse").count, 0) << "none has ended";
  server.release();
  EXPECT_EQ(storm.wait(60s), 0);
  EXPECT_TRUE(eventually([&] { return waits("fuse").count == CALL_UNDER_WAY; }))
      << waits("fuse").count;
  EXPECT_EQ(waits("fuse").split(), 0) << "it has no block device to wait for";
  EXPECT_LE(agent->metric("process_resident_memory_bytes").value_or(0), resident + (8 << 20));
  // Nothing is left behind: the next ones fit.
  must_run({STORM_PATH, where + "/disk", "100"});
  EXPECT_TRUE(eventually([&] { return waits("fuse").count == CALL_UNDER_WAY + 100; }));
}

TEST_F(SyncTest, ReadsAndWritesAreTimedWhereAskedFor) {
  const std::string where = ext4_claim("data");
  start({"--latency.operations=all"});
  if (IsSkipped()) return;
  ASSERT_TRUE(eventually(
      [&] { return agent->log().find("program=\"io_uring_rw\"") != std::string::npos; }, 120s));
  for (const std::string engine : {"psync", "sync", "pvsync", "pvsync2", "vsync", "io_uring"}) {
    for (const std::string operation : {"read", "write"}) {
      const std::string label = ",operation=\"" + operation + "\"";
      const auto calls = [&] { return waits("data", "csi", kPod, "call_latency_seconds", label); };
      fio({"--directory=" + where, "--filename=f", "--rw=write", "--size=1m", "--bs=1m"});
      const Waits before = calls();
      const Json job = fio({"--directory=" + where, "--filename=f", "--rw=rand" + operation,
                            "--size=1m", "--number_ios=100", "--ioengine=" + engine});
      const Waits done = calls() - before;
      EXPECT_EQ(done.count, job[operation]["total_ios"]) << engine << " " << operation;
      const double felt = job[operation]["lat_ns"]["mean"].get<double>() / 1e9;
      EXPECT_NEAR(done.seconds / done.count, felt, felt * 0.5 + 2e-5) << engine << " " << operation;
    }
  }
}

TEST_F(SyncTest, OnlySyncsAreTimedUnlessAskedFor) {
  const std::string where = ext4_claim("data");
  start();
  if (IsSkipped()) return;
  fio({"--directory=" + where, "--rw=write", "--size=1m", "--fsync=1"});
  EXPECT_GT(waits("data").count, 0);
  EXPECT_EQ(agent->get("/metrics").body.find("call_latency_seconds"), std::string::npos);
  EXPECT_EQ(agent->log().find("pwrite64"), std::string::npos);
}

TEST_F(SyncTest, DfAndThePageSayWhoseTheWaitIs) {
  const std::string where = node->csi_dir(kPod, "data");
  const std::string device = node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
  const Cgroup pod(kPod);
  start();
  if (IsSkipped()) return;
  const std::vector<std::string> job = {"--directory=" + where, "--rw=randwrite", "--size=64k",
                                        "--number_ios=8",       "--fsync=1",      "--direct=0"};
  fio(job, pod.wrapper());
  pod.limit_writes(device, 5);
  fio(job, pod.wrapper());
  std::vector<std::string> df = {VOLUMETER_PATH, "df", "-o", "wide",
                                 "--web.listen-address=127.0.0.1:" + std::to_string(agent->port())};
  const auto more = node->agent_flags();
  df.insert(df.end(), more.begin(), more.end());
  const auto shown = [&](const std::string& text) {
    return eventually([&] { return run(df).text.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(shown("SYNC P99")) << run(df).text;
  EXPECT_TRUE(shown("above")) << run(df).text;
  df[3] = "json";
  EXPECT_TRUE(shown("\"syncWaitCause\": \"above\"")) << run(df).text;
  EXPECT_TRUE(shown("\"syncP99Seconds\"")) << run(df).text;
  const std::string page = http_get(agent->port(), "/", "Accept: text/html\r\n").body;
  EXPECT_NE(page.find(", above</small>"), std::string::npos) << page;
}

}  // namespace
}  // namespace volumeter::test
