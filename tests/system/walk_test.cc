// The walker against du on real filesystems, and against tenants who rearrange their trees.
#include "measure/usage/walk.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "measure/usage/parallel_walk.h"
#include "system_test.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

bool never() { return false; }
bool always() { return true; }

UniqueFd open_root(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_CLOEXEC));
}

std::shared_ptr<HardLinks> hard_links() { return std::make_shared<HardLinks>(16 << 20); }

WalkTotals walk(const std::string& path, const std::function<bool()>& enough = never) {
  Walk walk(hard_links());
  for (;;) {
    const UniqueFd root = open_root(path);
    const auto done = walk.advance(root.get(), enough);
    EXPECT_TRUE(done) << done.error().message;
    if (!done || *done) return walk.totals();
  }
}

void write(const fs::path& path, std::size_t bytes) {
  std::ofstream(path) << std::string(bytes, 'x');
}

// A little of everything that a directory can hold.
void fill_tree(const fs::path& root, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<fs::path> dirs = {root};
  const auto any = [&] { return dirs[random() % dirs.size()]; };
  for (int i = 0; i < 60; ++i) {
    dirs.push_back(any() / ("dir " + std::to_string(i)));
    fs::create_directory(dirs.back());
  }
  std::vector<fs::path> files;
  for (int i = 0; i < 400; ++i) {
    files.push_back(any() / ("file\n" + std::to_string(i)));
    write(files.back(), random() % 20000);
  }
  for (int i = 0; i < 80; ++i) {
    fs::create_hard_link(files[random() % files.size()], any() / ("link" + std::to_string(i)));
    fs::create_symlink("/usr", any() / ("symlink" + std::to_string(i)));
  }
  write(root / "sparse", 10);
  fs::resize_file(root / "sparse", 1ULL << 30U);
  ::mkfifo((root / "fifo").c_str(), 0600);
  ::mknod((root / "device").c_str(), S_IFBLK | 0600, makedev(7, 250));
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (root / "s").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
}

class WalkTest : public SystemTest {
 protected:
  // A directory on a filesystem of its own.
  std::string filesystem(const std::string& fstype, std::uint64_t size = 320 << 20) {
    const std::string where = node->directory() + "/m" + std::to_string(next_++);
    make_directories(where);
    node->mount_image(node->image(fstype, size), fstype, where);
    return where;
  }
  int next_ = 0;
};

class WalkOn : public WalkTest, public testing::WithParamInterface<const char*> {};

TEST_P(WalkOn, CountsWhatDuCounts) {
  const std::string root = filesystem(GetParam());
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    const fs::path tree = fs::path(root) / std::to_string(seed);
    fs::create_directory(tree);
    fill_tree(tree, seed);
    EXPECT_EQ(walk(tree).bytes, du(tree)) << seed;
    EXPECT_EQ(walk(tree).apparent_bytes, du(tree, "--apparent-size")) << seed;
    for (const int threads : {1, 2, 5}) {
      const UniqueFd top = open_root(tree);
      const WalkTotals totals = walk_in_parallel(top.get(), {.threads = threads});
      EXPECT_EQ(totals.bytes, du(tree)) << seed << " by " << threads;
      EXPECT_EQ(totals.inodes, walk(tree).inodes);
      EXPECT_EQ(totals.errors, 0U);
    }
  }
  EXPECT_EQ(walk(root).bytes, du(root));
}

TEST_P(WalkOn, SlicesCountTheSameAndHoldNothingBetween) {
  const std::string root = filesystem(GetParam());
  fill_tree(root, 5);
  // Wider than one buffer, and deeper than the fds that are kept.
  for (int i = 0; i < 3000; ++i) write(fs::path(root) / ("wide" + std::to_string(i)), 1);
  fs::path deep = root;
  for (int i = 0; i < 100; ++i) deep /= "d";
  fs::create_directories(deep);
  write(deep / "bottom", 5000);
  const std::uint64_t expected = du(root);
  int slices = 0;
  const std::size_t fds = count_entries("/proc/self/fd");
  Walk sliced(hard_links());
  for (;; ++slices) {
    {
      const UniqueFd top = open_root(root);
      const auto done = sliced.advance(top.get(), always);
      ASSERT_TRUE(done) << done.error().message;
      if (*done) break;
    }
    ASSERT_EQ(count_entries("/proc/self/fd"), fds) << "in slice " << slices;
  }
  EXPECT_GT(slices, 50);
  EXPECT_EQ(sliced.totals().bytes, expected);
}

INSTANTIATE_TEST_SUITE_P(Filesystems, WalkOn, testing::Values("ext4", "xfs", "btrfs"),
                         [](const auto& test) { return std::string(test.param); });

TEST_F(WalkTest, PathsLongerThanPathMaxAreWalkedToo) {
  const std::string root = filesystem("ext4");
  const std::string name(200, 'n');
  {
    UniqueFd here(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < 60; ++i) {
      ASSERT_EQ(::mkdirat(here.get(), name.c_str(), 0700), 0);
      here = UniqueFd(::openat(here.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    const UniqueFd file(::openat(here.get(), "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::write(file.get(), name.data(), name.size()), 200);
  }
  EXPECT_EQ(walk(root).bytes, du(root));
  EXPECT_EQ(walk(root, always).bytes, du(root)) << "and found again from the top";
  EXPECT_EQ(walk_in_parallel(open_root(root).get(), {}).bytes, du(root));
}

TEST_F(WalkTest, MountsInsideAreNotEntered) {
  const std::string root = filesystem("ext4");
  fs::create_directories(root + "/a/disk");
  fs::create_directories(root + "/a/bound");
  fs::create_directories(root + "/elsewhere");
  write(root + "/a/file", 1000);
  write(root + "/elsewhere/big", 3 << 20);
  Node::mount("tmpfs", root + "/a/disk", "tmpfs", 0);
  write(root + "/a/disk/more", 2 << 20);
  EXPECT_EQ(walk(root + "/a").bytes, du(root + "/a"));
  EXPECT_EQ(walk_in_parallel(open_root(root + "/a").get(), {}).bytes, du(root + "/a"));
  const std::uint64_t before = walk(root + "/a").bytes;
  // A mount of the same filesystem: du -x enters it and counts the neighbour's bytes, we don't.
  Node::bind(root + "/elsewhere", root + "/a/bound");
  EXPECT_LE(walk(root + "/a").bytes, before);
  EXPECT_GT(du(root + "/a"), before + (2 << 20));
  Node::unmount(root + "/a/bound");
  Node::unmount(root + "/a/disk");
}

TEST_F(WalkTest, ABtrfsSubvolumeInsideIsAnotherFilesystem) {
  const std::string root = filesystem("btrfs");
  must_run({"btrfs", "-q", "subvolume", "create", root + "/sub"});
  write(root + "/sub/file", 1 << 20);
  write(root + "/own", 5000);
  must_run({"sync", "-f", root});
  EXPECT_EQ(walk(root).bytes, du(root));
  EXPECT_EQ(walk_in_parallel(open_root(root).get(), {}).bytes, du(root));
}

// A tenant can make one of a million; we stop before that costs us.
TEST_F(WalkTest, AnEndlessChainOfDirectoriesIsLeftInTheMiddle) {
  const std::string root = filesystem("xfs");
  UniqueFd here(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 6000; ++i) {
    ASSERT_EQ(::mkdirat(here.get(), "d", 0700), 0);
    here = UniqueFd(::openat(here.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const WalkTotals totals = walk(root);
  EXPECT_EQ(totals.entries, 4096U);
  EXPECT_EQ(totals.errors, 1U) << "and it is told";
}

TEST_F(WalkTest, TheNewestWriteIsKnown) {
  const std::string root = filesystem("ext4");
  EXPECT_FALSE(walk(root).last_write) << "no file, no write";
  fs::create_directory(root + "/d");
  write(root + "/d/old", 1);
  write(root + "/new", 1);
  const timespec old_times[2] = {{1000, 0}, {1000, 5}};
  const timespec new_times[2] = {{2000, 0}, {2000, 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root + "/d/old").c_str(), old_times, 0), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, (root + "/new").c_str(), new_times, 0), 0);
  const auto newest = walk(root).last_write;
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->tv_sec, 2000);
  EXPECT_EQ(newest->tv_nsec, 7);
}

TEST_F(WalkTest, BetweenSlicesAVolumeCanBeUnmountedAndItsSuccessorIsNotMistakenForIt) {
  const std::string root = filesystem("ext4");
  for (int i = 0; i < 500; ++i) write(root + "/f" + std::to_string(i), 1);
  Walk interrupted(hard_links());
  {
    const UniqueFd top = open_root(root);
    const auto done = interrupted.advance(top.get(), always);
    ASSERT_TRUE(done && !*done);
  }
  Node::unmount(root);  // EBUSY would end this program
  const UniqueFd top = open_root(root);
  const auto done = interrupted.advance(top.get(), always);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ESTALE);
}

// A tenant swaps a directory for a symlink to a place outside, again and again.
TEST_F(WalkTest, NothingOutsideIsEverCounted) {
  const std::string base = filesystem("ext4");
  const std::string outside = base + "/outside";
  const std::string root = base + "/volume";
  fs::create_directories(outside + "/d");
  write(outside + "/d/big", 8 << 20);
  fs::create_directories(root + "/swap/d");
  for (int i = 0; i < 20; ++i) write(root + "/swap/d/f" + std::to_string(i), 1);
  fs::create_symlink(outside, root + "/link");
  const std::uint64_t most = du(root);
  std::atomic<int> swaps = 0;
  std::jthread tenant([&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++swaps) {
      ::renameat2(AT_FDCWD, (root + "/swap").c_str(), AT_FDCWD, (root + "/link").c_str(),
                  RENAME_EXCHANGE);
    }
  });
  const auto until = std::chrono::steady_clock::now() + 60s;
  for (int i = 0; i < 3000 || (swaps < 20000 && std::chrono::steady_clock::now() < until); ++i) {
    const WalkTotals totals = walk(root, i % 2 == 0 ? std::function<bool()>(never) : always);
    // The directory may be met under both names, or neither; outside is 8 MiB.
    ASSERT_LE(totals.bytes, 2 * most) << "in walk " << i;
    if (i % 10 == 0) {
      ASSERT_LE(walk_in_parallel(open_root(root).get(), {}).bytes, 2 * most) << "in walk " << i;
    }
  }
  EXPECT_GE(swaps, 20000);
}

TEST_F(WalkTest, FilesThatComeAndGoAreFine) {
  const std::string root = filesystem("xfs");
  std::jthread tenant([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); i = (i + 1) % 500) {
      const fs::path dir = fs::path(root) / std::to_string(i);
      fs::create_directories(dir / "below");
      write(dir / "below/file", 100);
      fs::remove_all(fs::path(root) / std::to_string((i + 250) % 500));
    }
  });
  for (int i = 0; i < 200; ++i) {
    const WalkTotals totals = walk(root, i % 2 == 0 ? std::function<bool()>(never) : always);
    ASSERT_EQ(totals.errors, 0U);
  }
  tenant.request_stop();
  tenant.join();
  EXPECT_EQ(walk(root).bytes, du(root));
}

TEST_F(WalkTest, TheCommandPrintsWhatDuPrints) {
  const std::string root = filesystem("ext4");
  fill_tree(root, 9);
  const auto same = [&](std::vector<std::string> options) {
    std::vector<std::string> ours = {VOLUMETER_PATH, "du"};
    std::vector<std::string> theirs = {"du", "-x"};
    ours.insert(ours.end(), options.begin(), options.end());
    theirs.insert(theirs.end(), options.begin(), options.end());
    ours.push_back(root);
    theirs.push_back(root);
    const Output a = run(ours);
    const Output b = run(theirs);
    EXPECT_EQ(a.code, 0);
    EXPECT_EQ(a.text, b.text) << options.front();
  };
  same({"-s"});
  same({"-sh"});
  same({"-s", "--block-size=1"});
  EXPECT_EQ(run({VOLUMETER_PATH, "du", "-s", "--threads=2", root}).text,
            run({"du", "-sx", root}).text);
  EXPECT_EQ(run({VOLUMETER_PATH, "du", "--threads=2", root}).code, 2) << "only for totals";
  same({"-d", "0", "--apparent-size"});
  same({"-d", "0", "--apparent-size", "-h"});
  const Output gone = run({VOLUMETER_PATH, "du", "/nonexistent", root});
  EXPECT_EQ(gone.code, 1);
  EXPECT_NE(gone.text.find("volumeter du: /nonexistent: No such file"), std::string::npos);
  EXPECT_NE(gone.text.find(root), std::string::npos) << "the other one is printed all the same";
}

TEST(InodeSet, KnowsWhatItWasToldAndSaysWhenItIsFull) {
  InodeSet set(1 << 20);
  std::mt19937_64 random(3);
  std::set<std::uint64_t> reference;
  for (int i = 0; i < 20000; ++i) {
    // Clusters, as inodes come; and 0 and the largest.
    const std::uint64_t inode = i < 2 ? i - 1ULL : (random() % 300) * 1000003 + random() % 200;
    EXPECT_EQ(set.add(inode) == InodeSet::Added::kNew, reference.insert(inode).second);
  }
  InodeSet small(16 * 64);
  int kept = 0;
  for (std::uint64_t chunk = 0; chunk < 1000; ++chunk) {
    kept += small.add(chunk * 64) == InodeSet::Added::kNew ? 1 : 0;
  }
  EXPECT_EQ(kept, 48) << "three quarters of 64 slots";
  EXPECT_EQ(small.add(0), InodeSet::Added::kKnown);
  EXPECT_EQ(small.add(999 * 64), InodeSet::Added::kFull);
}

}  // namespace
}  // namespace volumeter::test
