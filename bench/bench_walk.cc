// bench_walk [FILES]: `volumeter du` beside du on the same tree, cache warm. Prints figures and
// ratios.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bench/support.h"
#include "support/node.h"

namespace {

using namespace volumeter::bench;
using namespace volumeter::test;
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

int bench(const std::string& fstype, int files) {
  Node node;
  const std::string root = node.directory() + "/tree";
  make_directories(root);
  // mkfs makes an inode for each 16 KiB; the image is sparse.
  const auto size = static_cast<std::uint64_t>(files) * 20000 + (1ULL << 30U);
  node.mount_image(node.image(fstype, size), fstype, root);
  make_tree(root, files);
  Run ours;
  Run theirs;
  const std::vector<std::string> volumeter = {VOLUMETER_PATH, "du", "-s", root};
  const std::vector<std::string> du = {"du", "-sx", root};
  Run warming;
  measure(volumeter, warming);
  measure(du, warming);
  for (int i = 0; i < 9; ++i) {  // interleaved, alternating which goes first
    if (i % 2 == 0) measure(volumeter, ours);
    measure(du, theirs);
    if (i % 2 != 0) measure(volumeter, ours);
  }
  const auto row = [&](const char* what, double a, double b) {
    std::printf("| %s, %d files, %s | %.1f | %.1f | %.2f |\n", fstype.c_str(), files, what, a, b,
                a / b);
  };
  row("wall, median, ms", median(ours.wall), median(theirs.wall));
  row("CPU, median, ms", median(ours.cpu), median(theirs.cpu));
  row("resident, most, MiB", ours.resident_mib, theirs.resident_mib);
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
  const int files = argc > 1 ? std::atoi(argv[1]) : 200000;
  std::printf(
      "\n## `volumeter du -s` beside `du -sx`, cache warm, one thread each, nine pairs\n\n");
  std::printf("| | volumeter | du | ratio |\n| --- | --- | --- | --- |\n");
  for (const char* fstype : {"ext4", "xfs"}) {
    if (const int code = bench(fstype, files)) return code;
  }
  return 0;
}
