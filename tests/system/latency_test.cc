// Block I/O by claim, as the device counts it and as BPF programs time it: against what fio, a
// database and the kernel say they did.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <numeric>

#include "latency_fixture.h"
#include "measure/latency/block_memory.h"
#include "measure/latency/programs.h"

namespace volumeter::test {
namespace {

TEST_F(LatencyTest, ABlockVolumesCountsAreFiosExactly) {
  const std::string device = attach_loop(node->image("", 64 << 20));
  block_claim("raw", device);
  start_agent();
  if (IsSkipped()) return detach_loop(device);
  for (const std::string operation : {"read", "write"}) {
    const Counts before = counts("raw", operation);
    const Json job =
        fio({"--filename=" + device, "--rw=rand" + operation, "--size=64m", "--number_ios=3000"});
    const Counts after = counts("raw", operation);
    const double done = job[operation]["total_ios"];
    EXPECT_EQ(done, 3000);
    EXPECT_EQ(after.completed - before.completed, done) << operation;
    EXPECT_TRUE(counted(after.timed - before.timed, done)) << operation;
  }
  detach_loop(device);
}

TEST_F(LatencyTest, OnAFilesystemCountsAreAtLeastFios) {
  const std::vector<std::string> fstypes = {"ext4", "xfs", "btrfs"};
  for (const std::string& fstype : fstypes) {
    node->mount_image(node->image(fstype, 320 << 20), fstype, node->csi_dir(kPod, fstype));
  }
  start_agent();
  if (IsSkipped()) return;
  constexpr int kSyncs = 10;
  for (const std::string& fstype : fstypes) {
    const Counts before = counts(fstype, "write");
    fio({"--directory=" + node->csi_dir(kPod, fstype), "--rw=randwrite", "--size=16m",
         "--number_ios=500", "--fsync=50"});
    const Counts after = counts(fstype, "write");
    EXPECT_GE(after.completed - before.completed, 500) << fstype;
    EXPECT_GE(after.timed - before.timed, 500 - 1) << fstype;
    // The journal's writes are requests that carry a flush: they complete twice and count once, and
    // the device's own counter has them all. It has btrfs's flushes without data, too: one each
    // sync.
    EXPECT_TRUE(eventually([&] {
      const Counts now = counts(fstype, "write");
      const double untimed = (now.completed - before.completed) - (now.timed - before.timed);
      const int left_out = 1;  // counted()
      return untimed >= 0 && untimed <= (fstype == "btrfs" ? kSyncs : 0) + left_out;
    })) << fstype
        << ": " << counts(fstype, "write").timed - before.timed << " timed, "
        << counts(fstype, "write").completed - before.completed << " completed";
    EXPECT_GE(agent->metric(pod_series("io_flush_requests_total", kPod, fstype)).value_or(0), 10);
  }
}

TEST_F(LatencyTest, ASlowDiskShowsOnItsClaimAlone) {
  make_directories(node->directory() + "/slow");
  StallFs slow(node->directory() + "/slow", node->image("", 16 << 20));
  const std::string slow_device = attach_loop(node->directory() + "/slow/disk");
  const std::string fast_device = attach_loop(node->image("", 16 << 20));
  block_claim("slow", slow_device);
  block_claim("fast", fast_device);
  start_agent();
  if (!IsSkipped()) {
    slow.delay(20);
    const Counts slow_before = counts("slow", "write");
    const Counts fast_before = counts("fast", "write");
    fio({"--filename=" + fast_device, "--rw=randwrite", "--size=16m", "--number_ios=50"});
    const Json job =
        fio({"--filename=" + slow_device, "--rw=randwrite", "--size=16m", "--number_ios=50"});
    slow.delay(0);
    const Counts after = counts("slow", "write");
    const std::size_t below = bucket_of(0.01);  // le="0.01"
    EXPECT_TRUE(counted(after.timed - slow_before.timed, 50));
    EXPECT_EQ(after.cumulative[below] - slow_before.cumulative[below], 0) << "none was so quick";
    for (const auto& [q, name] : {std::pair(0.5, "50.000000"), std::pair(0.99, "99.000000")}) {
      const double ns = job["write"]["clat_ns"]["percentile"][name];
      EXPECT_NEAR(static_cast<double>(bucket_of_quantile(slow_before, after, q)),
                  static_cast<double>(bucket_of(ns / 1e9)), 1)
          << "p" << name << " is " << ns << " ns for fio";
    }
    EXPECT_GE(agent
                  ->metric(pod_series("io_latency_seconds_sum", kPod, "slow", "csi",
                                      ",operation=\"write\""))
                  .value_or(0),
              50 * 0.02);
    EXPECT_LE(bucket_of_quantile(fast_before, counts("fast", "write"), 0.5), below);
  }
  detach_loop(slow_device);
  detach_loop(fast_device);
}

TEST_F(LatencyTest, AnotherDiskOnTheSameLoopNumberStartsAtZero) {
  const std::string where = node->csi_dir(kPod, "data");
  const std::string device = node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
  start_agent();
  if (IsSkipped()) return;
  fio({"--directory=" + where, "--rw=randwrite", "--size=16m", "--number_ios=400"});
  ASSERT_GE(counts("data", "write").completed, 400);
  Node::unmount(where);
  const std::string image = node->image("ext4", 64 << 20);
  // The kernel lets go of it after a while.
  ASSERT_TRUE(eventually([&] { return run({"losetup", device, image}).code == 0; }));
  Node::mount(device, where, "ext4", 0);
  EXPECT_TRUE(eventually([&] {
    const Counts now = counts("data", "write");
    return now.completed < 400 && now.timed < 400;
  })) << counts("data", "write").completed;
  Node::unmount(where);
  detach_loop(device);
}

TEST_F(LatencyTest, VolumesThatShareADiskAreToldApartByTheirPods) {
  const std::string disk = node->directory() + "/disk";
  const std::string device = node->mount_image(node->image("ext4", 64 << 20), "ext4", disk);
  const Cgroup mine(kPod);
  const Cgroup other(kOtherPod);
  for (const std::string& uid : {kPod, kOtherPod}) {
    make_directories(disk + "/" + uid);
    Node::bind(disk + "/" + uid, node->volume_dir(uid, "local-volume", "data"));
  }
  start_agent();
  if (IsSkipped()) return;
  const std::string series = "volumeter_block_device_io_latency_seconds_count{device=\"" +
                             device.substr(5) + "\",operation=\"write\"}";
  const Counts mine_before = counts("data", "write", kPod, "local");
  const Counts other_before = counts("data", "write", kOtherPod, "local");
  ASSERT_FALSE(std::isnan(mine_before.timed)) << agent->get("/metrics").body;
  EXPECT_TRUE(std::isnan(mine_before.completed)) << "the device's counters are nobody's alone";
  // Written before, so that only overwrites are left for the pod: no journal.
  const std::vector<std::string> arguments = {"--directory=" + disk + "/" + kPod,
                                              "--rw=randwrite",
                                              "--size=8m",
                                              "--number_ios=300",
                                              "--overwrite=1",
                                              "--filename=f"};
  fio(arguments);
  const double device_before = agent->metric(series).value_or(-1);
  fio(arguments, mine.wrapper());
  EXPECT_GE(counts("data", "write", kPod, "local").timed - mine_before.timed, 300);
  EXPECT_EQ(counts("data", "write", kOtherPod, "local").timed - other_before.timed, 0);
  // A stranger on the same disk: nobody's but the device's.
  fio(arguments);
  EXPECT_GE(agent->metric(series).value_or(-1) - device_before, 300);
  EXPECT_LT(counts("data", "write", kPod, "local").timed - mine_before.timed, 600);
}

// Without accounting a request doesn't say when it was made.
TEST_F(LatencyTest, QueuesWithoutThrottlingOrAccountingAreMeasuredToo) {
  const std::string device = attach_loop(node->image("", 32 << 20));
  const std::string queue = "/sys/block/" + device.substr(5) + "/queue/";
  const auto get = [&](const std::string& name) {
    std::string value;
    std::ifstream(queue + name) >> value;
    return value;
  };
  const auto set = [&](const std::string& name, const std::string& value) {
    std::ofstream(queue + name) << value << std::flush;
  };
  const std::string wbt = get("wbt_lat_usec");
  block_claim("raw", device);
  start_agent();
  if (!IsSkipped()) {
    for (const auto& [name, off] : {std::pair("wbt_lat_usec", "0"), std::pair("iostats", "0")}) {
      set(name, off);
      const Counts before = counts("raw", "write");
      fio({"--filename=" + device, "--rw=randwrite", "--size=16m", "--number_ios=500"});
      const Counts after = counts("raw", "write");
      EXPECT_TRUE(counted(after.timed - before.timed, 500)) << name;
      EXPECT_LE(bucket_of_quantile(before, after, 1), bucket_of(2)) << name << " gave nonsense";
    }
  }
  set("iostats", "1");
  set("wbt_lat_usec", wbt);
  detach_loop(device);
}

// The programs alone, on kernels where every queue keeps statistics: as if none did.
TEST_F(LatencyTest, WithoutStatisticsTheIssueOfRequestsIsNoted) {
  const std::string device = attach_loop(node->image("", 32 << 20));
  struct stat st {};
  ASSERT_EQ(::stat(device.c_str(), &st), 0);
  auto complete = attach_latency_program(kRequestComplete, {}, true);
  ASSERT_TRUE(complete) << complete.error().message;
  const std::vector<int> maps(complete->begin() + 1, complete->end());
  auto mapped = map_latency_memory(maps.front());
  ASSERT_TRUE(mapped);
  auto memory = std::make_unique<BlockMemory>(*mapped);
  memory->watch({{{major(st.st_rdev), minor(st.st_rdev)}, 0, 7, 0}});
  const auto writes = [&] {
    const auto buckets = memory->read(7).operations[BLOCK_WRITE].buckets;
    return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
  };
  const std::vector<std::string> job = {"--filename=" + device, "--rw=randwrite", "--size=16m",
                                        "--number_ios=500"};
  fio(job);
  EXPECT_EQ(writes(), 0U);
  const std::uint64_t untimed = memory->read(7).untimed;
  EXPECT_TRUE(counted(static_cast<double>(untimed), 500)) << "nobody knows their start";
  EXPECT_EQ(memory->without_start(), untimed);
  auto issue = attach_latency_program(kRequestIssue, maps, true);
  ASSERT_TRUE(issue) << issue.error().message;
  memory->set_issuing(true);
  fio(job);
  EXPECT_TRUE(counted(static_cast<double>(writes()), 500));
  EXPECT_EQ(memory->read(7).untimed, untimed);
  EXPECT_GT(memory->read(7).operations[BLOCK_WRITE].device_seconds, 0);
  EXPECT_LT(memory->read(7).operations[BLOCK_WRITE].device_seconds, 500);
  for (const int fd : *issue) ::close(fd);
  for (const int fd : *complete) ::close(fd);
  detach_loop(device);
}

// zram has bios and no requests.
TEST_F(LatencyTest, DevicesWithoutRequestsAreTimedByTheirBios) {
  int number = -1;
  std::ifstream("/sys/class/zram-control/hot_add") >> number;
  if (number < 0) GTEST_SKIP() << "no zram here";
  const std::string name = "zram" + std::to_string(number);
  std::ofstream("/sys/block/" + name + "/disksize") << "64M" << std::flush;
  must_run({"mkfs.ext4", "-q", "/dev/" + name});
  const std::string where = node->csi_dir(kPod, "data");
  Node::mount("/dev/" + name, where, "ext4", 0);
  start_agent();
  if (!IsSkipped() && agent->sees(program("block_bio_queue"), 1, 60s)) {
    const Counts before = counts("data", "write");
    fio({"--directory=" + where, "--rw=randwrite", "--size=8m", "--number_ios=300"});
    const Counts after = counts("data", "write");
    EXPECT_GE(after.timed - before.timed, 300);
    EXPECT_GE(after.completed - before.completed, 300);
    EXPECT_EQ(agent->metric("volumeter_block_device_info{device=\"" + name +
                            "\",disk=\"\",model=\"\",rotational=\"0\",tier=\"memory\","
                            "scheduler=\"\",encryption=\"\"}"),
              1)
        << agent->get("/metrics").body;
  }
  agent.reset();
  Node::unmount(where);
  std::ofstream("/sys/class/zram-control/hot_remove") << number << std::flush;
}

// The last minute, for people: from the agent that has watched it.
TEST_F(LatencyTest, DfAndThePageShowTheLastMinute) {
  const std::string where = node->csi_dir(kPod, "data");
  node->mount_image(node->image("ext4", 64 << 20), "ext4", where);
  start_agent();
  if (IsSkipped()) return;
  fio({"--directory=" + where, "--rw=randwrite", "--size=16m", "--number_ios=2000"});
  std::vector<std::string> df = {VOLUMETER_PATH, "df", "-o", "json",
                                 "--web.listen-address=127.0.0.1:" + std::to_string(agent->port())};
  const auto more = node->agent_flags();
  df.insert(df.end(), more.begin(), more.end());
  Json io;
  ASSERT_TRUE(eventually([&] {
    const Json answer = Json::parse(run(df).text);
    for (const Json& volume : answer["volumes"]) {
      if (volume["volume"] == "data" && volume.contains("io")) io = volume["io"];
    }
    return io.contains("writeP99Seconds") &&
           io["writesPerSecond"].get<double>() * io["seconds"].get<double>() >= 1500;
  })) << run(df).text;
  EXPECT_NEAR(io["writesPerSecond"].get<double>() * io["seconds"].get<double>(), 2000, 500);
  EXPECT_GT(io["writtenBytesPerSecond"].get<double>(),
            4096 * io["writesPerSecond"].get<double>() * 0.9);
  EXPECT_GT(io["writeP50Seconds"].get<double>(), 0);
  df[3] = "wide";
  EXPECT_NE(run(df).text.find("W P99"), std::string::npos) << run(df).text;
  const std::string page = http_get(agent->port(), "/", "Accept: text/html\r\n").body;
  EXPECT_NE(page.find("<small>p99 "), std::string::npos) << page;
  df[4] = "--web.listen-address=127.0.0.1:1";  // nobody there
  EXPECT_EQ(run(df).text.find("W P99"), std::string::npos);
}

TEST_F(LatencyTest, WithoutTheCapabilityOnlyThatPartIsOff) {
  node->mount_image(node->image("ext4", 32 << 20), "ext4", node->csi_dir(kPod, "data"));
  Agent::Options options;
  options.latency = true;
  options.wrapper = {"setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"};
  const Agent bare(flags({"--interval=500ms", "--worker.deadline=400ms"}), options);
  ASSERT_TRUE(bare.ready());
  EXPECT_TRUE(bare.sees(program("block_rq_complete"), 0, 60s)) << bare.log();
  EXPECT_TRUE(eventually([&] { return bare.log().find("CAP_BPF") != std::string::npos; }, 60s))
      << bare.log();
  const std::string body = bare.get("/metrics").body;
  EXPECT_EQ(body.find("io_latency_seconds"), std::string::npos);
  EXPECT_TRUE(bare.metric(pod_series("io_reads_completed_total", kPod, "data")));
  EXPECT_TRUE(bare.metric(pod_series("usage_ratio", kPod, "data")));
}

TEST_F(LatencyTest, WithoutTypeInformationOnlyThatPartIsOff) {
  if (!std::filesystem::exists("/sys/kernel/btf/vmlinux")) GTEST_SKIP() << "there is none anyway";
  node->mount_image(node->image("ext4", 32 << 20), "ext4", node->csi_dir(kPod, "data"));
  Agent::Options options;
  options.latency = true;
  // In a mount namespace of its own: others look there, too.
  options.wrapper = {
      "unshare", "--mount", "--propagation=slave",
      "sh",      "-c",      "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$@\"",
      "sh"};
  const Agent agent_without(flags({"--interval=500ms", "--worker.deadline=400ms"}), options);
  EXPECT_TRUE(eventually(
      [&] { return agent_without.log().find("CONFIG_DEBUG_INFO_BTF") != std::string::npos; }, 60s))
      << agent_without.log();
  EXPECT_TRUE(agent_without.sees(program("block_rq_complete"), 0, 60s)) << agent_without.log();
  EXPECT_TRUE(agent_without.metric(pod_series("io_reads_completed_total", kPod, "data")));
}

TEST_F(LatencyTest, TheDaemonKeepsNoCapabilityOfTheProgramsAndNoneOfItsProcesses) {
  node->mount_image(node->image("ext4", 32 << 20), "ext4", node->csi_dir(kPod, "data"));
  start_agent();
  if (IsSkipped()) return;
  std::ifstream status("/proc/" + std::to_string(agent->pid()) + "/status");
  std::uint64_t effective = ~0ULL;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) effective = std::stoull(line.substr(7), nullptr, 16);
  }
  constexpr int kBpf = 39;
  constexpr int kPerfmon = 38;
  constexpr int kSysAdmin = 21;
  for (const int capability : {kBpf, kPerfmon, kSysAdmin}) {
    EXPECT_EQ(effective >> static_cast<unsigned>(capability) & 1U, 0U) << capability;
  }
  EXPECT_TRUE(eventually([&] {
    for (const pid_t pid : process_tree(agent->pid())) {
      std::string name;
      std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> name;
      if (name == "volumeter-trace") return false;
    }
    return true;
  }));
}

}  // namespace
}  // namespace volumeter::test
