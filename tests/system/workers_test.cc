// The worker pool against filesystems that really hang.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "measure/usage/usage.h"
#include "system_test.h"
#include "workers/sandbox.h"
#include "workers/worker_main.h"
#include "workers/worker_pool.h"

namespace volumeter::test {
namespace {

DeviceNumber device_of(const std::string& path) {
  struct stat st {};
  EXPECT_EQ(::lstat(path.c_str(), &st), 0);
  return {major(st.st_dev), minor(st.st_dev)};
}

class WorkersTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    WorkerOptions options;
    options.program.exe = VOLUMETER_PATH;
    options.deadline = 1s;
    pool_ = std::make_unique<WorkerPool>(loop_, options);
  }

  Target target(const std::string& path) {
    return {device_of(path), "/", path, "tmpfs", false, "", false};
  }

  // Runs the loop until `done`, for at most `limit`.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit = 10s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      loop_.after(2ms, [&] { loop_.stop(); });
      loop_.run();
    }
    return done();
  }

  std::optional<JobResult> sample(const Target& where, std::chrono::milliseconds limit = 10s) {
    std::optional<JobResult> result;
    pool_->submit({0, where}, [&](const JobResult& r) { result = r; });
    run_until([&] { return result.has_value(); }, limit);
    return result;
  }

  EventLoop loop_;
  std::unique_ptr<WorkerPool> pool_;
};

TEST_F(WorkersTest, AnswersWhatStatfsAnswers) {
  const std::string path = tmpfs_volume("u", "v");
  const auto result = sample(target(path));
  ASSERT_TRUE(result);
  ASSERT_EQ(result->outcome, JobOutcome::kAnswered);
  ASSERT_EQ(result->answer.error, 0);
  EXPECT_EQ(to_usage(result->answer.load<StatfsPayload>()).capacity, 1U << 20U);
}

TEST_F(WorkersTest, AnotherFilesystemInTheVolumesPlaceIsNotMeasured) {
  const std::string path = tmpfs_volume("u", "v");
  const Target before = target(path);
  Node::unmount(path);
  const auto result = sample(before);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->answer.error, kNotVisible) << "the node's disk stands there now";
}

TEST_F(WorkersTest, ASymlinkOnTheWayIsRefused) {
  const std::string path = tmpfs_volume("u", "v");
  const std::string link = node->directory() + "/link";
  ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
  Target through = target(path);
  through.path = link;
  EXPECT_EQ(sample(through)->answer.error, ELOOP);
}

TEST_F(WorkersTest, BtrfsSubvolumesAreVisible) {
  const std::string where = node->csi_dir("u", "btrfs");
  node->mount_image(node->image("btrfs", 120 << 20), "btrfs", where);
  Target btrfs{{0, 9999}, "/", where, "btrfs",
               false,     "",  false};  // st_dev is never the mount's number
  EXPECT_EQ(sample(btrfs)->answer.error, 0);
  Node::unmount(where);
  EXPECT_EQ(sample(btrfs)->answer.error, kNotVisible);
}

TEST_F(WorkersTest, NeighboursOfAHungVolumeAreServedAtOnce) {
  StallFs stall(node->csi_dir("u", "hung"));
  const Target hung = target(node->csi_dir("u", "hung"));
  stall.hold("statfs");
  std::vector<std::string> paths;
  for (int i = 0; i < 40; ++i) paths.push_back(tmpfs_volume("u", "v" + std::to_string(i)));
  int answered = 0;
  bool timed_out = false;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (i == 5) {
      pool_->submit({0, hung},
                    [&](const JobResult& r) { timed_out = r.outcome == JobOutcome::kTimedOut; });
    }
    pool_->submit({0, target(paths[i])}, [&](const JobResult& r) {
      answered += r.outcome == JobOutcome::kAnswered ? 1 : 0;
    });
  }
  EXPECT_TRUE(run_until([&] { return answered == 40; }));
  EXPECT_FALSE(timed_out) << "all were answered before the hung one's deadline";
  EXPECT_TRUE(run_until([&] { return timed_out; }));
  EXPECT_EQ(pool_->counts().stuck, 1U) << "the request was read: SIGKILL doesn't end the wait";
  // Nothing more is sent there while it is stuck.
  EXPECT_EQ(sample(hung)->outcome, JobOutcome::kTimedOut);
  EXPECT_EQ(pool_->counts().stuck, 1U);
  run_until([] { return false; }, 400ms);
  bool released = false;
  pool_->on_released([&](DeviceNumber device) { released = device == hung.device; });
  stall.release();
  EXPECT_TRUE(run_until([&] { return released; }));
  EXPECT_EQ(sample(hung)->outcome, JobOutcome::kAnswered);
}

TEST_F(WorkersTest, AWaitThatCanBeKilledIs) {
  StallFs stall(node->csi_dir("u", "hung"));
  const Target hung = target(node->csi_dir("u", "hung"));
  stall.freeze();  // requests stay unread
  EXPECT_EQ(sample(hung)->outcome, JobOutcome::kTimedOut);
  EXPECT_TRUE(run_until([&] { return pool_->counts().stuck == 0; }));
  stall.thaw();
  EXPECT_EQ(sample(hung)->outcome, JobOutcome::kAnswered);
}

// A FUSE server may answer with any errno: none is a word of our own protocol.
TEST_F(WorkersTest, WhateverErrnoAVolumeAnswersIsAnAnswer) {
  StallFs stall(node->csi_dir("u", "odd"));
  const Target odd = target(node->csi_dir("u", "odd"));
  for (const int error : {ECANCELED, EINTR, EAGAIN, 511}) {
    stall.fail_statfs(error);
    const auto result = sample(odd);
    ASSERT_TRUE(result) << error;
    EXPECT_EQ(result->outcome, JobOutcome::kAnswered) << error;
    EXPECT_EQ(result->answer.error, error);
  }
  // The same after it has held up its worker.
  stall.fail_statfs(ECANCELED);
  stall.hold("statfs");
  std::optional<JobResult> late;
  pool_->submit({0, odd}, [&](const JobResult& r) { late = r; });
  run_until([] { return false; }, 400ms);
  EXPECT_FALSE(late);
  stall.release();
  EXPECT_TRUE(run_until([&] { return late.has_value(); }));
  EXPECT_EQ(late->answer.error, ECANCELED);
  EXPECT_EQ(pool_->counts().stuck, 0U);
  stall.fail_statfs(0);
  EXPECT_EQ(sample(odd)->answer.error, 0);
}

// Hundreds of volumes with the longest paths don't fit into one message.
TEST_F(WorkersTest, LongPathsAreServedToo) {
  std::string where = node->directory();
  while (where.size() < 3000) where += "/" + std::string(200, 'd');
  make_directories(where);
  Node::mount("tmpfs", where, "tmpfs", 0, "size=1m");
  int answered = 0;
  for (int i = 0; i < 300; ++i) {
    pool_->submit({0, target(where)}, [&](const JobResult& r) {
      answered += r.outcome == JobOutcome::kAnswered && r.answer.error == 0 ? 1 : 0;
    });
  }
  EXPECT_TRUE(run_until([&] { return answered == 300; })) << answered;
}

TEST_F(WorkersTest, AHungLookupIsAHangToo) {
  StallFs stall(node->csi_dir("u", "hung"));
  const Target hung = target(node->csi_dir("u", "hung"));
  Target inside = hung;
  inside.path += "/disk";
  stall.hold("lookup");
  EXPECT_EQ(sample(inside)->outcome, JobOutcome::kTimedOut);
  stall.release();
}

TEST_F(WorkersTest, AWorkerWithoutACpuIsNotHung) {
  const std::string group = "/sys/fs/cgroup/cpu/volumeter-test-" + std::to_string(::getpid());
  if (::mkdir(group.c_str(), 0755) != 0) GTEST_SKIP() << "needs the cpu cgroup controller (v1)";
  const std::string path = tmpfs_volume("u", "v");
  ASSERT_EQ(sample(target(path))->outcome, JobOutcome::kAnswered);
  // The one child there is: stopped, it can't run, whatever it would do.
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t worker = 0;
  pid_t last = 0;
  while (children >> last) worker = last;
  std::ofstream(group + "/cpu.cfs_period_us") << 1000000 << std::endl;
  std::ofstream(group + "/cpu.cfs_quota_us") << 1000 << std::endl;
  std::ofstream(group + "/cgroup.procs") << worker << std::endl;
  ::kill(worker, SIGSTOP);
  std::optional<JobResult> result;
  pool_->submit({0, target(path)}, [&](const JobResult& r) { result = r; });
  run_until([&] { return result.has_value(); }, 2500ms);
  EXPECT_FALSE(result) << "twice its deadline later it isn't called hung";
  ::kill(worker, SIGCONT);
  EXPECT_TRUE(run_until([&] { return result.has_value(); }));
  EXPECT_EQ(result->outcome, JobOutcome::kAnswered);
  pool_.reset();
  EXPECT_TRUE(eventually([&] { return ::rmdir(group.c_str()) == 0; }));
}

TEST_F(WorkersTest, AKilledWorkerIsReplacedAndItsJobsAreDone) {
  const std::string path = tmpfs_volume("u", "v");
  ASSERT_TRUE(sample(target(path)));
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  pid_t worker = 0;
  for (pid_t child = 0; children >> child;) worker = child;
  ::kill(worker, SIGKILL);
  EXPECT_EQ(sample(target(path))->outcome, JobOutcome::kAnswered);
}

TEST_F(WorkersTest, AMissingBinaryIsAFailureAndNoHang) {
  WorkerOptions options;
  options.program.exe = "/nonexistent/volumeter";
  pool_ = std::make_unique<WorkerPool>(loop_, options);
  EXPECT_EQ(sample(target(tmpfs_volume("u", "v")))->outcome, JobOutcome::kFailed);
}

TEST_F(WorkersTest, ABinaryThatEndsAtOnceIsAFailureAndNoLoop) {
  WorkerOptions options;
  options.program.exe = "/bin/false";
  pool_ = std::make_unique<WorkerPool>(loop_, options);
  const std::string path = tmpfs_volume("u", "v");
  int failed = 0;
  for (int i = 0; i < 300; ++i) {
    pool_->submit({0, target(path)},
                  [&](const JobResult& r) { failed += r.outcome == JobOutcome::kFailed ? 1 : 0; });
  }
  EXPECT_TRUE(run_until([&] { return failed == 300; })) << failed;
}

// A frozen filesystem answers statfs at once: writing is what hangs there.
TEST_F(WorkersTest, AFrozenFilesystemStaysResponsive) {
  for (const char* fstype : {"ext4", "xfs"}) {
    const std::string where = node->csi_dir("u", fstype);
    node->mount_image(node->image(fstype, 320 << 20), fstype, where);
    const UniqueFd fd(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::ioctl(fd.get(), FIFREEZE, 0), 0) << fstype;
    const auto result = sample(target(where));
    ::ioctl(fd.get(), FITHAW, 0);
    EXPECT_EQ(result->outcome, JobOutcome::kAnswered) << fstype;
  }
}

TEST_F(WorkersTest, AFilesystemOverADeadDiskStaysResponsive) {
  for (const char* fstype : {"ext4", "xfs"}) {
    const std::string served = node->directory() + "/served-" + fstype;
    StallFs stall(served, node->image(fstype, 320 << 20));
    const std::string where = node->csi_dir("u", std::string("dead-") + fstype);
    node->mount_image(served + "/disk", fstype, where);
    ASSERT_EQ(sample(target(where))->outcome, JobOutcome::kAnswered);
    stall.hold("read write");
    EXPECT_EQ(sample(target(where))->outcome, JobOutcome::kAnswered) << fstype;
    stall.release();
    Node::unmount(where);
  }
}

// In a child, because it can't be undone.
int in_sandbox(const std::function<int()>& check,
               WorkerProfile profile = WorkerProfile::kMetadata) {
  const pid_t child = ::fork();
  if (child == 0) {
    const SandboxReport report = enter_sandbox(profile);
    ::_exit(report.capabilities ? check() : 99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST_F(WorkersTest, TheSandboxAllowsLookingAndNothingElse) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' runtime can't work under the filter";
  EXPECT_EQ(in_sandbox([] { return ::open("/etc/passwd", O_RDONLY) < 0 ? 0 : 1; }), 0);
  EXPECT_EQ(in_sandbox([] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? 0 : 1; }), 0);
  EXPECT_EQ(in_sandbox([] { return ::fork() < 0 ? 0 : 1; }), 0);
  EXPECT_EQ(in_sandbox([] {
              char byte = 0;
              return ::read(0, &byte, 1) < 0 && errno == EPERM ? 0 : 1;
            }),
            0);
  EXPECT_EQ(in_sandbox([] { return ::unlink("/nonexistent") < 0 && errno == EPERM ? 0 : 1; }), 0);
}

// Whatever a worker is for. A filter that lets one of these through would let it out.
TEST_F(WorkersTest, NoWorkerCanConnectExecuteOrReachOtherProcesses) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' runtime can't work under the filter";
  struct Way {
    const char* name;
    std::function<long()> out;
  };
  const std::vector<Way> ways = {
      {"an internet socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"a unix socket", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"a netlink socket", [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"another program",
       [] {
         char program[] = "/bin/true";
         std::array<char*, 2> arguments = {program, nullptr};
         return ::execve(program, arguments.data(), nullptr);
       }},
      {"a process", [] { return ::fork(); }},
      {"another's memory", [] { return ::syscall(SYS_ptrace, 0, 1, 0, 0); }},
      {"a mount", [] { return ::mount("none", "/tmp", "tmpfs", 0, nullptr); }},
      {"another namespace", [] { return ::unshare(CLONE_NEWUSER); }},
      {"a ring of its own", [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"a file by its handle",
       [] { return ::syscall(SYS_open_by_handle_at, AT_FDCWD, nullptr, O_RDONLY); }},
      {"a module", [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
      {"a signal", [] { return ::kill(::getppid(), 0); }}};
  for (const WorkerProfile profile :
       {WorkerProfile::kMetadata, WorkerProfile::kListing, WorkerProfile::kTracing,
        WorkerProfile::kProcess, WorkerProfile::kProbing}) {
    for (const Way& way : ways) {
      EXPECT_EQ(in_sandbox([&] { return way.out() < 0 && errno == EPERM ? 0 : 1; }, profile), 0)
          << to_string(profile) << ": " << way.name;
    }
  }
}

// A wait that survives SIGKILL must not keep the job that nobody wants any more.
TEST_F(WorkersTest, AnAbortedJobEndsThoughItsWorkerDoesNot) {
  StallFs stall(node->csi_dir("u", "hung"));
  const Target hung = target(node->csi_dir("u", "hung"));
  const Target well = target(tmpfs_volume("u", "well"));
  ASSERT_EQ(sample(well)->outcome, JobOutcome::kAnswered) << "the worker has started";
  stall.hold("statfs");
  std::optional<JobResult> result;
  pool_->submit({0, hung}, [&](const JobResult& r) { result = r; });
  run_until([] { return false; }, 90ms);
  pool_->abort();
  ASSERT_TRUE(run_until([&] { return result.has_value(); }, 5s));
  EXPECT_EQ(result->outcome, JobOutcome::kFailed);
  EXPECT_TRUE(run_until([&] { return pool_->counts().stuck == 1; }));
  EXPECT_EQ(sample(well)->outcome, JobOutcome::kAnswered) << "its neighbours are served";
  EXPECT_EQ(sample(hung)->outcome, JobOutcome::kTimedOut) << "and no second one is lost there";
  stall.release();
  EXPECT_TRUE(run_until([&] { return pool_->counts().stuck == 0; }));
  EXPECT_EQ(sample(hung)->outcome, JobOutcome::kAnswered);
}

TEST_F(WorkersTest, AListingWorkerListsDirectoriesAndReadsNoFile) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' runtime can't work under the filter";
  const auto listing = [](const std::function<int()>& check) {
    return in_sandbox(check, WorkerProfile::kListing);
  };
  const auto open_as = [](const char* path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags;
    return static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
  };
  EXPECT_EQ(listing([&] {
              const int fd = open_as("/etc", O_RDONLY | O_DIRECTORY);
              char entries[4096];
              return fd >= 0 && ::syscall(SYS_getdents64, fd, entries, sizeof entries) > 0 ? 0 : 1;
            }),
            0);
  // Landlock keeps files shut; without it, what was opened could neither be read nor mapped.
  EXPECT_EQ(listing([&] {
              const int fd = open_as("/etc/passwd", O_RDONLY);
              char byte = 0;
              const bool unread = ::read(fd, &byte, 1) < 0;
              const bool unmapped = ::mmap(nullptr, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED;
              return unread && unmapped ? 0 : 1;
            }),
            0);
  // Before Landlock (5.13) only the missing CAP_DAC_OVERRIDE keeps it from files: not from root's.
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) > 0) {
    const std::string path = node->directory() + "/new";
    EXPECT_EQ(listing([&] { return open_as(path.c_str(), O_WRONLY | O_CREAT) < 0 ? 0 : 1; }), 0);
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_EQ(listing([] { return ::unlink("/nonexistent") < 0 && errno == EPERM ? 0 : 1; }), 0);
  EXPECT_EQ(listing([] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? 0 : 1; }), 0);
  EXPECT_EQ(listing([] {
              fsxattr attributes{};
              return ::ioctl(0, FS_IOC_FSSETXATTR, &attributes) < 0 && errno == EPERM ? 0 : 1;
            }),
            0)
      << "projects are read, not set";
}

TEST_F(WorkersTest, ARunningWorkerHasOneCapabilityAFilterAndOneSocket) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' runtime can't work under the filter";
  ASSERT_TRUE(sample(target(tmpfs_volume("u", "v"))));
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  std::string worker;
  for (std::string child; children >> child;) worker = child;
  std::ifstream file("/proc/" + worker + "/status");
  const std::string status{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(status.find("CapEff:\t0000000000000004"), std::string::npos) << status;
  EXPECT_NE(status.find("CapBnd:\t0000000000000004"), std::string::npos);
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos);
  EXPECT_EQ(count_entries("/proc/" + worker + "/fd"), 2U) << "the socket and the host's root";
  std::ifstream environment("/proc/" + worker + "/environ");
  EXPECT_EQ(environment.peek(), std::ifstream::traits_type::eof());
}

TEST(SleepState, IsReadFromProc) {
  const auto asleep =
      parse_sleep_state("Name:\tx\nState:\tD (disk sleep)\nvoluntary_ctxt_switches:\t42\n");
  ASSERT_TRUE(asleep);
  EXPECT_TRUE(asleep->asleep);
  EXPECT_EQ(asleep->switches, 42U);
  EXPECT_FALSE(parse_sleep_state("State:\tR (running)\n")->asleep);
  EXPECT_FALSE(parse_sleep_state("State:\tT (stopped)\n")->asleep);
  EXPECT_FALSE(parse_sleep_state("garbage"));
}

}  // namespace
}  // namespace volumeter::test
