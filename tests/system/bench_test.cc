// `volumeter bench` and `volumeter check`, as people and scripts run them.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "latency_fixture.h"

namespace volumeter::test {
namespace {

class BenchTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    where = node->directory() + "/volume";
    device = node->mount_image(node->image("ext4", 400 << 20), "ext4", where);
  }
  static Output tool(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), VOLUMETER_PATH);
    return run(arguments);
  }
  static std::vector<std::string> brief(const std::string& path,
                                        const std::vector<std::string>& more) {
    std::vector<std::string> all = {"bench", path, "--runtime=1s", "--ramp=100ms", "--size=16M"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static Json json(const Output& output) {
    EXPECT_EQ(output.code, 0) << output.text;
    return Json::parse(output.text, nullptr, false);
  }
  bool nothing_left() const {
    const bool empty = std::distance(fs::directory_iterator(where), {}) == 1;  // lost+found
    return empty && free_blocks() == blocks;
  }
  std::uint64_t free_blocks() const {
    struct statvfs st {};
    ::statvfs(where.c_str(), &st);
    return st.f_bfree;
  }
  void note_room() {
    must_run({"sync", "-f", where});
    blocks = free_blocks();
  }
  // What ioctl(BLKRRPART) and others count: the kernel's own columns.
  std::uint64_t completed(int column) const {
    std::ifstream stat("/sys/class/block/" + fs::path(device).filename().string() + "/stat");
    std::uint64_t value = 0;
    for (int i = 0; i < column; ++i) stat >> value;
    return value;
  }

  std::string where;
  std::string device;
  std::uint64_t blocks = 0;
};

TEST_F(BenchTest, SaysItInFiosOwnLayout) {
  note_room();
  const auto reads = completed(1);
  const auto writes = completed(5);
  const Json all = json(tool(brief(where, {"-p", "randread,randwrite,mixed,fsync", "-o", "json"})));
  ASSERT_EQ(all["jobs"].size(), 4U);
  const Json& read = all["jobs"][0]["read"];
  EXPECT_EQ(all["jobs"][0]["jobname"], "randread");
  const double total = read["total_ios"];
  EXPECT_GT(total, 100);
  EXPECT_NEAR(read["iops"].get<double>(), total / (read["runtime"].get<double>() / 1000),
              total * 0.01);
  EXPECT_EQ(read["io_bytes"].get<double>(), total * 4096);
  EXPECT_EQ(read["clat_ns"]["N"], total);
  EXPECT_EQ(all["jobs"][0]["write"]["total_ios"], 0);
  const double p50 = read["clat_ns"]["percentile"]["50.000000"];
  EXPECT_LE(read["clat_ns"]["min"].get<double>(), p50);
  EXPECT_LE(p50, read["clat_ns"]["percentile"]["99.000000"].get<double>());
  EXPECT_GT(read["lat_ns"]["mean"].get<double>(), read["clat_ns"]["mean"].get<double>());
  // Little's law: sixteen were under way all the time.
  EXPECT_NEAR(read["iops"].get<double>() * read["lat_ns"]["mean"].get<double>() * 1e-9, 16, 1.6);
  const double mixed_reads = all["jobs"][2]["read"]["total_ios"];
  const double mixed_writes = all["jobs"][2]["write"]["total_ios"];
  EXPECT_NEAR(mixed_reads / (mixed_reads + mixed_writes), 0.7, 0.05);
  const Json& fsync = all["jobs"][3];
  EXPECT_NEAR(fsync["sync"]["total_ios"].get<double>(), fsync["write"]["total_ios"].get<double>(),
              1);
  EXPECT_GT(fsync["sync"]["lat_ns"]["percentile"]["99.000000"].get<double>(), 0);
  // The disk saw them: nothing came from the page cache.
  EXPECT_GE(static_cast<double>(completed(1) - reads), total + mixed_reads);
  EXPECT_GE(static_cast<double>(completed(5) - writes),
            all["jobs"][1]["write"]["total_ios"].get<double>() + mixed_writes);
  EXPECT_TRUE(eventually([&] { return nothing_left(); }));
}

// Scripts for fio read these: the same keys are in fio's.
TEST_F(BenchTest, EveryKeyIsOneOfFios) {
  if (run({"fio", "--version"}).code != 0) GTEST_SKIP() << "fio isn't installed";
  const Json ours = json(tool(brief(where, {"-p", "fsync", "-o", "json"})))["jobs"][0];
  const Output peer = run({"fio", "--name=fsync", "--directory=" + where, "--rw=write", "--bs=4k",
                           "--direct=1", "--fdatasync=1", "--size=4m", "--output-format=json"});
  const Json fios = Json::parse(peer.text.substr(peer.text.find('{')))["jobs"][0];
  const std::function<void(const Json&, const Json&, const std::string&)> compare =
      [&](const Json& mine, const Json& theirs, const std::string& path) {
        for (const auto& [key, value] : mine.items()) {
          if (path == "/job options") continue;  // fio's has what was given only
          ASSERT_TRUE(theirs.contains(key)) << path << "/" << key;
          if (value.is_object() && !value.empty()) compare(value, theirs[key], path + "/" + key);
          EXPECT_EQ(value.is_number(), theirs[key].is_number()) << path << "/" << key;
        }
      };
  compare(ours, fios, "");
}

TEST_F(BenchTest, TheTableHasItAll) {
  note_room();
  const Output output = tool(brief(where, {"--profile=all"}));
  EXPECT_EQ(output.code, 0) << output.text;
  for (const std::string name : {"randread", "randwrite", "seqread", "seqwrite", "mixed", "fsync",
                                 "etcd", "submit", "complete", "total", "p99.9"}) {
    EXPECT_NE(output.text.find(name), std::string::npos) << name;
  }
  EXPECT_NE(output.text.find("a disk's own cache may hold all of the file's 16 MiB"),
            std::string::npos);
  EXPECT_EQ(output.text.find('\r'), std::string::npos) << "progress in a pipe";
  EXPECT_TRUE(eventually([&] { return nothing_left(); }));
}

TEST_F(BenchTest, ARateIsKept) {
  const Json all = json(tool(brief(where, {"-p", "randread", "--rate=200", "-o", "json"})));
  EXPECT_NEAR(all["jobs"][0]["read"]["iops"].get<double>(), 200, 20);
}

// The rate is the writes': a sync follows its write at once.
TEST_F(BenchTest, ARateDoesNotHoldBackSyncs) {
  const Json all = json(tool(brief(where, {"-p", "fsync", "--rate=20", "-o", "json"})));
  const Json& job = all["jobs"][0];
  EXPECT_NEAR(job["write"]["iops"].get<double>(), 20, 4);
  EXPECT_LT(job["write"]["lat_ns"]["mean"].get<double>(),
            10 * job["write"]["clat_ns"]["mean"].get<double>() + 5e6);
}

TEST_F(BenchTest, AnySizeWillDo) {
  const Output output =
      tool({"bench", where, "-p", "randread", "--size=1000000", "--runtime=200ms", "--ramp=10ms"});
  EXPECT_EQ(output.code, 0) << output.text;
}

TEST_F(BenchTest, OptionsOverrideTheProfile) {
  const Json all =
      json(tool(brief(where, {"-p", "seqwrite", "--block-size=64k", "--depth=2", "-o", "json"})));
  const Json& write = all["jobs"][0]["write"];
  EXPECT_EQ(write["io_bytes"].get<double>(), write["total_ios"].get<double>() * 65536);
  EXPECT_NEAR(write["iops"].get<double>() * write["lat_ns"]["mean"].get<double>() * 1e-9, 2, 0.3);
}

TEST_F(BenchTest, RawDevicesAreOnlyRead) {
  const std::string disk = attach_loop(node->image("", 64 << 20));
  Output output = tool({"bench", disk, "-p", "randwrite"});
  EXPECT_EQ(output.code, 2);
  EXPECT_NE(output.text.find("raw devices are only read"), std::string::npos) << output.text;
  output = tool({"bench", disk, "--runtime=500ms", "--ramp=10ms"});
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_NE(output.text.find("randread"), std::string::npos);
  EXPECT_EQ(output.text.find("randwrite"), std::string::npos);
  EXPECT_NE(output.text.find("never written"), std::string::npos) << output.text;
  detach_loop(disk);
}

TEST_F(BenchTest, RefusesWhatCantWorkAndSaysWhy) {
  std::ofstream(where + "/file") << "x" << std::flush;
  const struct {
    std::vector<std::string> arguments;
    const char* says;
  } cases[] = {
      {{"bench", where, "--size=1G"}, "needs more room than there is"},
      {{"bench", where + "/nowhere"}, "No such file"},
      {{"bench", where + "/file"}, "neither a directory nor a block device"},
      {{"bench", where, "-p", "randwrit"}, "randwrite"},
      {{"bench", where, "--block-size=1000", "-p", "randread"}, "multiple of 512"},
      {{"bench", where, "--block-size=2M", "--size=1M"}, "--block-size is more than --size"},
      {{"bench", where, "--depth=0"}, "--depth"},
      {{"bench", where, "--block-size=4G"}, "--block-size"},
      {{"bench", where, "--depth=1024"}, "more than 256 MiB for seq"},
      {{"bench", where, "--runtime=soon"}, "is not a duration"},
      {{"check", where, "--for=oracle"}, "etcd"},
      {{"check", where}, "--for is required"},
      {{"check", where + "/file", "--for=etcd"}, "neither a directory"},
  };
  for (const auto& c : cases) {
    const Output output = tool(c.arguments);
    EXPECT_EQ(output.code, 2) << output.text;
    EXPECT_NE(output.text.find(c.says), std::string::npos) << output.text;
  }
}

TEST_F(BenchTest, NothingIsLeftWhenItIsStoppedOrKilled) {
  note_room();
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    for (int i = 0; i < 5; ++i) {
      Process bench({VOLUMETER_PATH, "bench", where, "--size=64M", "--runtime=20s"});
      ASSERT_TRUE(eventually([&] { return free_blocks() < blocks; })) << "it writes its file";
      std::this_thread::sleep_for(std::chrono::milliseconds(i * 150));
      bench.signal(signal);
      EXPECT_EQ(bench.wait(10s), signal == SIGKILL ? 128 + SIGKILL : 130);
      EXPECT_TRUE(eventually([&] { return nothing_left(); })) << signal;
    }
  }
}

TEST_F(BenchTest, MemoryIsNotCalledADisk) {
  const std::string memory = node->directory() + "/memory";
  make_directories(memory);
  Node::mount("tmpfs", memory, "tmpfs", 0, "size=64m");
  const Output output = tool(brief(memory, {"-p", "randread"}));
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_NE(output.text.find("tmpfs is memory, not a disk"), std::string::npos) << output.text;
}

TEST_F(BenchTest, SaysThatItsOwnCgroupHeldItBack) {
  const Cgroup cgroup(kPod);
  cgroup.limit_writes(device, 100);
  std::vector<std::string> command = cgroup.wrapper();
  const auto bench = brief(where, {"-p", "randwrite"});
  command.emplace_back(VOLUMETER_PATH);
  command.insert(command.end(), bench.begin(), bench.end());
  const Output output = run(command);
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_NE(output.text.find("throttled by this process's own cgroup"), std::string::npos)
      << output.text;
}

TEST_F(BenchTest, WhereNoFileCanBeMadeItSaysSo) {
  const StallFs fuse(node->directory() + "/fuse");
  const Output output = tool(brief(node->directory() + "/fuse", {"-p", "randread"}));
  EXPECT_EQ(output.code, 1) << output.text;
  EXPECT_NE(output.text.find("the test's file: Function not implemented"), std::string::npos)
      << output.text;
}

// deploy/bench-job.yaml: its command does what it is there for.
TEST_F(BenchTest, TheJobsCommandWorks) {
  std::ifstream manifest(std::string(SOURCE_DIR) + "/deploy/bench-job.yaml");
  std::vector<std::string> command;
  std::string mounted_at;
  for (std::string line; std::getline(manifest, line);) {
    const auto first = line.find_first_not_of(' ');
    if (first == std::string::npos || line[first] == '#') continue;
    const std::string key = line.substr(first, line.find(':') - first);
    if (key == "command" || key == "args") {
      for (const Json& word : Json::parse(line.substr(line.find('[')))) command.push_back(word);
    } else if (key == "mountPath") {
      mounted_at = line.substr(line.find('/'));
    }
  }
  ASSERT_GE(command.size(), 3U);
  EXPECT_EQ(command[0], "volumeter");
  EXPECT_EQ(command[2], mounted_at);
  command.erase(command.begin());
  command[1] = where;
  for (std::string& word : command) {
    if (word == "30s") word = "200ms";
    if (word == "1G") word = "16M";
  }
  const Output output = tool(command);
  EXPECT_EQ(output.code, 0) << output.text;
  EXPECT_NE(output.text.find("seqwrite"), std::string::npos) << output.text;
}

TEST_F(BenchTest, AFitVolumeIsCalledFit) {
  note_room();
  const Output output = tool({"check", where, "--for=etcd", "--runtime=60s", "-o", "json"});
  const Json verdict = Json::parse(output.text, nullptr, false);
  ASSERT_TRUE(verdict.is_object()) << output.text;
  ASSERT_EQ(verdict["criteria"].size(), 2U);
  for (const Json& one : verdict["criteria"]) {
    EXPECT_GE(one["samples"].get<int>(), 500);
    EXPECT_TRUE(one["documented"].get<bool>());
    const bool fits = one["measuredSeconds"].get<double>() <= one["limitSeconds"].get<double>();
    EXPECT_EQ(one["verdict"], fits ? "fit" : "not fit");
  }
  EXPECT_EQ(output.code, verdict["verdict"] == "fit" ? 0 : 1);
  EXPECT_TRUE(eventually([&] { return nothing_left(); }));
}

TEST_F(BenchTest, TooFewSamplesAreNoVerdict) {
  const Output output = tool({"check", where, "--for=redis", "--runtime=1ms"});
  EXPECT_EQ(output.code, 3) << output.text;
  EXPECT_NE(output.text.find("insufficient data"), std::string::npos);
}

TEST_F(BenchTest, ASlowDiskIsNotFit) {
  const std::string server = node->directory() + "/server";
  StallFs stall(server, node->image("ext4", 200 << 20));
  const std::string disk = attach_loop(server + "/disk");
  const std::string slow = node->directory() + "/slow";
  make_directories(slow);
  Node::mount(disk, slow, "ext4", 0);
  detach_loop(disk);
  stall.delay(30);
  const Output output = tool({"check", slow, "--for=postgresql", "--runtime=3s"});
  EXPECT_EQ(output.code, 1) << output.text;
  EXPECT_NE(output.text.find("not fit"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("heuristic"), std::string::npos) << output.text;
}

}  // namespace
}  // namespace volumeter::test
