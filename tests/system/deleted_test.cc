// Deleted files that somebody keeps open: the disk is full of them, and no walk finds them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "system_test.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

// A file of `bytes` that is open and has no name; in directories of its own where there are any.
UniqueFd deleted_file(const fs::path& path, std::size_t bytes) {
  fs::create_directories(path.parent_path());
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(::fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)), 0);
  fs::remove(path);
  return fd;
}

std::uint64_t bytes_of(const UniqueFd& fd) {
  struct stat st {};
  ::fstat(fd.get(), &st);
  return static_cast<std::uint64_t>(st.st_blocks) * 512;
}

// With BPF, and through /proc.
class DeletedTest : public SystemTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    if (by_bpf() && !bpf_works()) GTEST_SKIP() << "this kernel has no BPF iterators with BTF";
    disk = node->directory() + "/disk";
    node->mount_image(node->image("ext4", 64 << 20), "ext4", disk);
  }
  static bool by_bpf() { return std::string(GetParam()) == "bpf"; }

  [[nodiscard]] std::unique_ptr<Agent> agent() const {
    Agent::Options options;
    if (!by_bpf()) options.wrapper = {"setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin"};
    auto started = std::make_unique<Agent>(
        flags({"--interval=500ms", "--worker.deadline=400ms", "--usage.walk-interval=500ms"}),
        options);
    EXPECT_TRUE(started->ready());
    return started;
  }
  static std::string series(const std::string& name, const std::string& type = "local") {
    return pod_series("deleted_open_bytes", "u", name, type);
  }
  std::string local_volume(const std::string& name, const std::string& root) {
    make_directories(disk + root);
    const std::string where = node->volume_dir("u", "local-volume", name);
    Node::bind(disk + root, where);
    return where;
  }

  std::string disk;
};

TEST_P(DeletedTest, AreCountedForTheirVolumeOnceEach) {
  const std::string a = local_volume("a", "/a");
  const std::string inside = local_volume("inside", "/a/inside");
  const std::string b = local_volume("b", "/b");
  const std::string own = node->csi_dir("u", "own");
  node->mount_image(node->image("xfs", 320 << 20), "xfs", own);
  const std::string scratch = node->volume_dir("u", "empty-dir", "scratch");
  const UniqueFd in_a = deleted_file(a + "/deep/er/file", 2 << 20);
  fs::remove_all(a + "/deep");
  const UniqueFd again(::dup(in_a.get()));
  const UniqueFd in_inside = deleted_file(inside + "/file", 1 << 20);
  const UniqueFd in_own = deleted_file(own + "/d/file", 3 << 20);
  const UniqueFd in_scratch = deleted_file(scratch + "/file", 4 << 20);
  const UniqueFd named(::open((b + "/named").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::fallocate(named.get(), 0, 0, 1 << 20), 0);
  const auto running = agent();
  const auto is = [&](const std::string& name, std::uint64_t bytes) {
    return running->sees(name, static_cast<double>(bytes));
  };
  EXPECT_TRUE(is(series("a"), bytes_of(in_a) + bytes_of(in_inside)));
  EXPECT_TRUE(is(series("inside"), bytes_of(in_inside)));
  EXPECT_TRUE(is(series("b"), 0)) << "nothing there is deleted";
  EXPECT_TRUE(is(series("own", "csi"), bytes_of(in_own)));
  EXPECT_TRUE(is(series("scratch", "emptyDir"), bytes_of(in_scratch)));
  EXPECT_TRUE(running->metric("volumeter_deleted_open_last_measured_timestamp_seconds"));
  EXPECT_EQ(running->process().wait(0ms), std::nullopt);
  running->process().signal(SIGTERM);
  EXPECT_EQ(running->process().wait(10s), 0);
}

TEST_P(DeletedTest, AFileThatIsClosedIsGone) {
  const std::string a = local_volume("a", "/a");
  UniqueFd file = deleted_file(a + "/file", 2 << 20);
  const auto running = agent();
  EXPECT_TRUE(running->sees(series("a"), static_cast<double>(bytes_of(file))));
  file.reset();
  EXPECT_TRUE(running->sees(series("a"), 0));
}

INSTANTIATE_TEST_SUITE_P(By, DeletedTest, testing::Values("bpf", "proc"),
                         [](const auto& test) { return std::string(test.param); });

class DeletedFilesTest : public SystemTest {};

TEST_F(DeletedFilesTest, WithoutTheRightToLookTheMetricIsAbsent) {
  tmpfs_volume("u", "v");
  Agent::Options options;
  options.wrapper = {"setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin,-sys_ptrace"};
  Agent agent(flags({"--interval=500ms", "--worker.deadline=400ms"}), options);
  ASSERT_TRUE(agent.ready());
  EXPECT_TRUE(eventually([&] {
    return agent.log().find("CAP_BPF and CAP_PERFMON, or CAP_SYS_PTRACE") != std::string::npos;
  }));
  EXPECT_FALSE(agent.metric(pod_series("deleted_open_bytes", "u", "v")));
  EXPECT_TRUE(agent.metric(pod_series("stats_used_bytes", "u", "v"))) << "all else is there";
}

TEST(DeletedMessages, SurviveTheirWayAndNonsenseIsRefused) {
  const std::vector<DeletedPlace> places = {{{8, 1}, 0, "/"}, {{254, 3}, 77, "/a\nb"}};
  auto message = encode_places(places);
  const auto back = decode_places(message);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 2U);
  EXPECT_EQ(back->at(1).device, (DeviceNumber{254, 3}));
  EXPECT_EQ(back->at(1).inode, 77U);
  EXPECT_EQ(back->at(1).root, "/a\nb");
  message.pop_back();
  EXPECT_FALSE(decode_places(message));
  EXPECT_FALSE(decode_answer({}));
}

}  // namespace
}  // namespace volumeter::test
