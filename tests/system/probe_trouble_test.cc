// Pulses on volumes that stall, fail and disappear, and of what is killed.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <thread>

#include "measure/probe/probe.h"
#include "probe_fixture.h"
#include "workers/worker_pool.h"

namespace volumeter::test {
namespace {

class ProbeTroubleTest : public ProbeTest {
 protected:
  // ext4 on a disk that a FUSE server holds.
  std::string on_slow_disk(const std::string& name) {
    const std::string server = node->directory() + "/server-" + name;
    stall = std::make_unique<StallFs>(server, node->image("ext4", 200 << 20));
    const std::string where = claim(name, kOn);
    device = attach_loop(server + "/disk");
    Node::mount(device, where, "ext4", 0);
    detach_loop(device);
    return where;
  }
  // Processes that probe.
  [[nodiscard]] std::vector<pid_t> probing_workers() const {
    std::vector<pid_t> found;
    for (const pid_t pid : process_tree(agent->pid())) {
      std::ifstream command("/proc/" + std::to_string(pid) + "/cmdline");
      std::string text;
      std::getline(command, text);
      if (text.find("probing") != std::string::npos) found.push_back(pid);
    }
    return found;
  }
  [[nodiscard]] bool responsive(double wanted, std::chrono::milliseconds limit = 20s) const {
    return agent->sees(series("volume_write_responsive", "db"), wanted, limit);
  }

  std::unique_ptr<StallFs> stall;
};

class Frozen {
 public:
  explicit Frozen(const std::string& where) : fd_(::open(where.c_str(), O_RDONLY | O_CLOEXEC)) {
    EXPECT_EQ(::ioctl(fd_.get(), FIFREEZE, 0), 0);
  }
  ~Frozen() { ::ioctl(fd_.get(), FITHAW, 0); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  UniqueFd fd_;
};

// statfs answers as if nothing were wrong.
TEST_F(ProbeTroubleTest, AFrozenFilesystemIsToldByItsWrites) {
  const std::string where = probed("db", "ext4");
  make_directories(where + "/twin");
  Node::bind(where + "/twin", claim("twin", kOn));
  probed("other", "ext4");
  start();
  ASSERT_TRUE(
      eventually([&] { return writes("db") >= 1 && writes("twin") >= 1 && writes("other") >= 1; }));
  {
    const Frozen frozen(where);
    EXPECT_TRUE(responsive(0)) << agent->log();
    EXPECT_TRUE(agent->sees(series("volume_write_responsive", "twin"), 0)) << agent->log();
    EXPECT_TRUE(agent->sees(series("volume_responsive", "db"), 1));
    EXPECT_TRUE(agent->sees(series("probe_success", "db"), 0));
    EXPECT_TRUE(eventually([&] { return value("probe_outstanding_seconds", "db") > 4; }));
    EXPECT_TRUE(eventually([&] { return value("probe_missed_total", "db") >= 3; }));
    EXPECT_NE(agent->get("/").body.find("writes don't come back"), std::string::npos);
    // The others go on, and one worker waits: pulses of a volume never overlap.
    const double others = writes("other");
    EXPECT_TRUE(eventually([&] { return writes("other") >= others + 3; }));
    EXPECT_LE(probing_workers().size(), 2U);
  }
  EXPECT_TRUE(responsive(1)) << agent->log();
  EXPECT_TRUE(agent->sees(series("volume_write_responsive", "twin"), 1)) << agent->log();
  EXPECT_TRUE(eventually([&] { return !has("probe_outstanding_seconds", "db"); }));
  EXPECT_LE(probing_workers().size(), 2U);
}

TEST_F(ProbeTroubleTest, ADiskThatStallsIsToldAndComesBack) {
  on_slow_disk("db");
  start();
  ASSERT_TRUE(eventually([&] { return writes("db") >= 1; }, 60s)) << agent->log();
  stall->hold("read write");
  EXPECT_TRUE(responsive(0)) << agent->log();
  EXPECT_TRUE(eventually([&] { return value("probe_outstanding_seconds", "db") > 30; }, 60s));
  EXPECT_GE(value("probe_missed_total", "db"), 20);
  EXPECT_EQ(probing_workers().size(), 1U);
  stall->release();
  EXPECT_TRUE(responsive(1)) << agent->log();
  // What it took is in one of the figures.
  EXPECT_GT(value("probe_duration_seconds_sum", "db", ",operation=\"write_sync\"") +
                value("probe_duration_seconds_sum", "db", ",operation=\"read\"") +
                value("probe_first_write_seconds_total", "db"),
            30)
      << agent->get("/metrics").body << agent->log();
}

TEST_F(ProbeTroubleTest, ErrorsAreNotSuccess) {
  on_slow_disk("db");
  start();
  ASSERT_TRUE(eventually([&] { return writes("db") >= 1; }, 60s)) << agent->log();
  stall->break_io(EIO);
  // Where the journal finds the error before a pulse does, it makes the filesystem read-only.
  EXPECT_TRUE(eventually([&] {
    return has("probe_success", "db") ? value("probe_success", "db") == 0
                                      : skipped("db", "read_only") >= 1;
  })) << agent->log();
  const double before = writes("db");
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(writes("db"), before);
  EXPECT_LE(probing_workers().size(), 1U);
}

TEST_F(ProbeTroubleTest, ADiskThatDisappearsIsNotSuccess) {
  on_slow_disk("db");
  start();
  ASSERT_TRUE(eventually([&] { return writes("db") >= 1; }, 60s)) << agent->log();
  stall->kill();
  EXPECT_TRUE(eventually([&] {
    return has("probe_success", "db") && value("probe_success", "db") == 0;
  })) << agent->log();
  EXPECT_LE(probing_workers().size(), 1U);
}

// The kubelet tries for a while; nothing of ours is in its way for longer than a pulse or a burst.
TEST_F(ProbeTroubleTest, UnmountsAreNotHeldUp) {
  const std::string disk = node->image("ext4", 400 << 20);
  const std::string where = claim("db", std::string(kOn) + R"(,"volumeter.io/burst":"on")");
  node->mount_image(disk, "ext4", where);
  start({"--probe.burst-interval=1s"});
  for (int round = 0; round < 10; ++round) {
    const double before = writes("db");
    ASSERT_TRUE(eventually([&] { return writes("db") > before; })) << round << agent->log();
    std::this_thread::sleep_for(std::chrono::milliseconds(round * 100));
    EXPECT_TRUE(eventually([&] { return ::umount2(where.c_str(), 0) == 0; }, 1s)) << round;
    const double gone = skipped("db", "not_mounted");
    ASSERT_TRUE(eventually([&] { return skipped("db", "not_mounted") > gone; })) << round;
    node->mount_image(disk, "ext4", where);
  }
}

// A pod that is to end: its volume is let go of even where a pulse hangs.
TEST_F(ProbeTroubleTest, AHungPulseIsGivenUpWhenItsPodEnds) {
  on_slow_disk("db");
  start();
  ASSERT_TRUE(eventually([&] { return writes("db") >= 1; }, 60s)) << agent->log();
  stall->hold("read write");
  ASSERT_TRUE(responsive(0)) << agent->log();
  put_pod("db", true);
  EXPECT_TRUE(eventually([&] { return skipped("db", "leaving") >= 1; })) << agent->log();
  stall->release();
  EXPECT_TRUE(eventually([&] { return probing_workers().empty(); }, 30s));
}

TEST_F(ProbeTroubleTest, NothingIsLeftOfAThousandThatWereKilled) {
  const std::string where = probed("db", "ext4");
  const auto free_blocks = [&] {
    struct statvfs st {};
    EXPECT_EQ(::statvfs(where.c_str(), &st), 0);
    return st.f_bfree;
  };
  const auto free_inodes = [&] {
    struct statvfs st {};
    EXPECT_EQ(::statvfs(where.c_str(), &st), 0);
    return st.f_ffree;
  };
  must_run({"sync", "-f", where});
  const auto blocks = free_blocks();
  const auto inodes = free_inodes();
  struct stat st {};
  ASSERT_EQ(::stat(where.c_str(), &st), 0);
  const Target target{{major(st.st_dev), minor(st.st_dev)}, "/", where, "ext4", false, "", false};
  EventLoop loop;
  WorkerOptions options;
  options.program = {VOLUMETER_PATH, "/", WorkerProfile::kProbing};
  int unanswered = 0;
  int answered = 0;
  for (int i = 0; i < 1000; ++i) {
    WorkerPool pool(loop, options);
    bool done = false;
    pool.submit({kPulse, target, 0}, [&](const JobResult& result) {
      done = true;
      answered += result.outcome == JobOutcome::kAnswered ? 1 : 0;
      loop.stop();
    });
    // Every tenth may end its pulse; the others are killed at its start, or somewhere in it.
    const auto limit = i % 10 == 0 ? 10s : std::chrono::microseconds(i % 20 * 1000);
    const auto end = loop.after(limit, [&] { loop.stop(); });
    loop.run();
    loop.cancel(end);
    unanswered += done ? 0 : 1;
  }
  EXPECT_GE(answered, 100);
  EXPECT_GT(unanswered, 100) << "most were killed after their pulse";
  EXPECT_EQ(names_in(where).size(), 0U);
  EXPECT_TRUE(eventually([&] {
    must_run({"sync", "-f", where});
    return free_blocks() == blocks && free_inodes() == inodes;
  })) << blocks - free_blocks()
      << " blocks are missing";
  EXPECT_EQ(::umount2(where.c_str(), 0), 0);
  EXPECT_EQ(run({"e2fsck", "-fn", image}).code, 0);
}

}  // namespace
}  // namespace volumeter::test
