// bench_walk [FILES... | quota]: `volumeter du` beside du and gdu on the same trees, cache warm and
// cold, and the agent's memory while it walks. Drops the machine's page cache.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "bench/support.h"
#include "measure/usage/walk.h"
#include "support/agent.h"
#include "support/node.h"

namespace {

using namespace volumeter::bench;
using namespace volumeter::test;
using volumeter::UniqueFd;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

struct Run {
  std::vector<double> wall;  // milliseconds
  std::vector<double> cpu;
  double resident_mib = 0;  // the most
};

void measure(const std::vector<std::string>& argv, Run& out) {
  const auto begin = Clock::now();
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::vector<char*> args;
    for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
    args.push_back(nullptr);
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(127);
    ::execvp(args[0], args.data());
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ::wait4(pid, &status, 0, &usage);
  if (status != 0) std::fprintf(stderr, "%s failed\n", argv[0].c_str());
  const std::chrono::duration<double, std::milli> wall = Clock::now() - begin;
  const auto milliseconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) * 1e-3;
  };
  out.wall.push_back(wall.count());
  out.cpu.push_back(milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime));
  out.resident_mib = std::max(out.resident_mib, static_cast<double>(usage.ru_maxrss) / 1024);
}

// Two hundred files in each directory, twenty directories in each above.
void make_tree(const fs::path& root, int files) {
  for (int made = 0, dir = 0; made < files; ++dir) {
    const fs::path here =
        root / std::to_string(dir / 400) / std::to_string(dir / 20 % 20) / std::to_string(dir % 20);
    fs::create_directories(here);
    for (int i = 0; i < 200 && made < files; ++i, ++made) {
      std::ofstream(here / ("file-" + std::to_string(i)));
      if (made % 10000 == 0) progress("files", made, files);
    }
  }
  progress("files", files, files);
}

struct Contestant {
  const char* name;
  std::vector<std::string> argv;
  Run run = {};
};

void drop_caches() {
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << 3;
}

// Interleaved, each round beginning with another one.
void race(std::vector<Contestant>& contestants, int rounds, bool cold) {
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      if (cold) drop_caches();
      Contestant& next = contestants[(i + static_cast<std::size_t>(round)) % contestants.size()];
      measure(next.argv, next.run);
    }
    progress("rounds", round + 1, rounds);
  }
}

void compare(const std::string& title, const std::string& root, int rounds, bool cold) {
  std::vector<Contestant> all = {
      {"du -sx", {"du", "-sx", root}},
      {"volumeter du -s", {VOLUMETER_PATH, "du", "-s", root}},
      {"volumeter du -s -j 2", {VOLUMETER_PATH, "du", "-s", "-j2", root}}};
  if (run({"gdu", "--version"}).code == 0)
    all.push_back({"gdu -n -s", {"gdu", "-n", "-p", "-s", root}});
  if (!cold) {
    race(all, 1, cold);  // what is measured next is as warm as it gets
    for (Contestant& contestant : all) contestant.run = {};
  }
  race(all, rounds, cold);
  const double wall = median(all[0].run.wall);
  const double cpu = median(all[0].run.cpu);
  for (const Contestant& c : all) {
    std::printf("| %s | %s | %.0f | %.2f | %.0f | %.2f | %.0f |\n", title.c_str(), c.name,
                median(c.run.wall), median(c.run.wall) / wall, median(c.run.cpu),
                median(c.run.cpu) / cpu, c.run.resident_mib);
  }
}

// The agent's own walk, as fast as a large budget lets it: what it takes in memory.
void agent_walks(Node& node, const std::string& tree, const std::string& title) {
  const std::string other = node.csi_dir("u", "other");
  Node::mount("tmpfs", other, "tmpfs", 0, "size=1m");
  std::vector<std::string> flags = node.agent_flags();
  flags.insert(flags.end(),
               {"--usage.walk-interval=30d", "--interval=1s", "--worker.deadline=900ms"});
  Agent agent(flags);
  std::this_thread::sleep_for(8s);
  const double idle = pss_mib(agent.pid());
  const std::string where = node.volume_dir("u", "local-volume", "v");
  Node::bind(tree, where);
  double most = 0;
  const bool walked = eventually(
      [&] {
        most = std::max(most, pss_mib(agent.pid()));
        return agent.get("/metrics").body.find("\nvolumeter_pod_volume_walk_entries{") !=
               std::string::npos;
      },
      10min);
  if (!walked) std::fprintf(stderr, "the agent's walk didn't end\n");
  std::printf("| %s | %.1f | %.1f | %.1f |\n", title.c_str(), most, idle, most - idle);
  Node::unmount(where);
  Node::unmount(other);
}

struct Tree {
  Tree(const std::string& type, int count) : fstype(type), files(count) {
    make_directories(root);
    // mkfs makes an inode for each 16 KiB; the image is sparse.
    const auto size = static_cast<std::uint64_t>(files) * 20000 + (1ULL << 30U);
    node.mount_image(node.image(fstype, size), fstype, root);
    make_tree(root + "/tree", files);
    title = fstype + ", " + std::to_string(files) + " files";
  }
  std::string fstype;
  int files;
  Node node;
  std::string root = node.directory() + "/disk";
  std::string title;
};

int bench(const std::vector<int>& sizes) {
  std::vector<std::string> memory;
  std::printf(
      "\n## `volumeter du` beside du and gdu\n\n"
      "| tree | command | wall, ms | to du | CPU, ms | to du | resident, MiB |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n");
  std::vector<std::unique_ptr<Tree>> trees;
  for (const int files : sizes) {
    for (const char* fstype : {"ext4", "xfs"})
      trees.push_back(std::make_unique<Tree>(fstype, files));
  }
  for (const auto& tree : trees) {
    const bool large = tree->files > 500000;
    compare(tree->title + ", warm", tree->root + "/tree", large ? 3 : 9, false);
    compare(tree->title + ", cold", tree->root + "/tree", large ? 1 : 3, true);
  }
  std::printf(
      "\n## The agent while it walks, PSS of all its processes, MiB\n\n"
      "| tree | walking, most | idle | more |\n| --- | --- | --- | --- |\n");
  for (const auto& tree : trees) agent_walks(tree->node, tree->root + "/tree", tree->title);
  return 0;
}

// What statfs costs on a directory with a project's limit, and a walk of it.
int bench_quota() {
  constexpr int kFiles = 20000;
  constexpr int kCalls = 10000;
  Node node;
  const std::string disk = node.directory() + "/disk";
  make_directories(disk);
  const std::string device = attach_loop(node.image("xfs", 1ULL << 30U));
  const int code = ::mount(device.c_str(), disk.c_str(), "xfs", 0, "prjquota");
  detach_loop(device);
  if (code != 0) {
    std::fprintf(stderr, "bench_walk quota: this kernel has no project quotas\n");
    return 1;
  }
  make_tree(disk + "/tree", kFiles);
  const UniqueFd tree(::open((disk + "/tree").c_str(), O_PATH | O_CLOEXEC));
  std::vector<double> walks;
  std::vector<double> calls;
  const auto since = [](Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  };
  for (int i = 0; i < 5; ++i) {
    auto begin = Clock::now();
    volumeter::Walk walk(std::make_shared<volumeter::HardLinks>(1 << 20));
    if (!walk.advance(tree.get(), [] { return false; })) return 1;
    walks.push_back(since(begin));
    begin = Clock::now();
    struct statfs st {};
    for (int call = 0; call < kCalls; ++call) ::fstatfs(tree.get(), &st);
    calls.push_back(since(begin) / kCalls);
  }
  std::printf(
      "\n## A volume with a quota beside its walk: xfs, %d files, in a virtual machine\n\n"
      "| | microseconds |\n| --- | --- |\n| walk, median | %.0f |\n| statfs, median | %.2f |\n"
      "| walk / statfs | %.0f |\n",
      kFiles, median(walks), median(calls), median(walks) / median(calls));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (const auto why = why_no_mounts()) {
    std::fprintf(stderr, "bench_walk: %s\n", why->c_str());
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  enter_mount_namespace();
  if (argc > 1 && std::string(argv[1]) == "quota") return bench_quota();
  std::vector<int> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
  return bench(sizes.empty() ? std::vector<int>{200000, 2000000} : sizes);
}
