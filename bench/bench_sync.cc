// What timing syncs costs those who sync, those who do something else, and a database.
//   bench_sync calls|postgresql
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "host/unique_fd.h"
#include "measure/latency/call_memory.h"
#include "measure/latency/programs.h"
#include "support.h"
#include "support/agent.h"
#include "support/node.h"
#include "support/postgres.h"

namespace volumeter::bench {
namespace {

using namespace test;
using Clock = std::chrono::steady_clock;

// Our programs, as the agent attaches them by default, with the filesystem of `file` watched.
class Ours {
 public:
  explicit Ours(int file) {
    std::vector<int> maps;
    for (const std::string& name : sync_programs()) {
      auto fds = attach_latency_program(name, maps);
      if (!fds) {
        std::fprintf(stderr, "%s\n", fds.error().message.c_str());
        continue;
      }
      const auto links = fds->size() - kLatencyMaps;
      if (maps.empty()) maps.assign(fds->begin() + static_cast<long>(links), fds->end());
      for (const int fd : *fds) fds_.emplace_back(fd);
    }
    if (maps.empty()) std::exit(1);
    struct stat st {};
    ::fstat(file, &st);
    CallMemory memory(map_latency_memory(maps.front()).value());
    memory.watch({{{major(st.st_dev), minor(st.st_dev)}, 0, 1, 1}});
  }

 private:
  std::vector<UniqueFd> fds_;
};

double ns_of(int calls, const std::function<void()>& call) {
  const auto begin = Clock::now();
  for (int i = 0; i < calls; ++i) call();
  const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
  return took.count() / calls;
}

struct Costs {
  std::vector<double> without;
  std::vector<double> with;
  [[nodiscard]] double added() const {
    std::vector<double> pairs;
    for (std::size_t i = 0; i < with.size(); ++i) pairs.push_back(with[i] - without[i]);
    return median(pairs);
  }
  void print(const char* what, const char* goal) const {
    std::printf("| %s | %.0f | %.0f | %.0f | %s |\n", what, median(without), median(with), added(),
                goal);
  }
};

int bench_calls() {
  Node node;
  const std::string where = node.directory() + "/fs";
  make_directories(where);
  Node::mount("tmpfs", where, "tmpfs", 0, "size=1m");
  const UniqueFd file(::open((where + "/f").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!file || ::fsync(file.get()) != 0) return 1;
  const UniqueFd elsewhere(::memfd_create("elsewhere", MFD_CLOEXEC));

  constexpr int kCalls = 500000;
  Costs sync;
  Costs elsewhere_sync;
  Costs other;
  const auto measure = [&](std::vector<double> Costs::*side) {
    (sync.*side).push_back(ns_of(kCalls, [&] { ::fdatasync(file.get()); }));
    (elsewhere_sync.*side).push_back(ns_of(kCalls, [&] { ::fdatasync(elsewhere.get()); }));
    (other.*side).push_back(ns_of(kCalls, [] { ::getppid(); }));
  };
  const int rounds = std::max(seconds_to_run() / 30, 5);
  for (int i = 0; i < rounds; ++i) {
    progress("calls", i, rounds);
    measure(&Costs::without);
    const Ours ours(file.get());
    measure(&Costs::with);
  }
  progress("calls", rounds, rounds);
  std::printf("\n## Timing syncs: wall clock of one call, ns, medians of %d pairs\n\n", rounds);
  std::printf(
      "| call | without | with volumeter's programs | added | goal |\n"
      "| --- | --- | --- | --- | --- |\n");
  sync.print("fdatasync that does nothing (a watched tmpfs)", "500");
  elsewhere_sync.print("the same of a file that nobody watches (another tmpfs)", "–");
  other.print("getppid: a system call that has nothing to do with it", "–");
  return 0;
}

int bench_postgresql() {
  if (!Postgres::installed()) return 0;
  Node node;
  const std::string where = node.csi_dir("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "pg");
  // Over memory: a disk's own noise is larger than what is looked for.
  const std::string memory = node.directory() + "/memory";
  make_directories(memory);
  Node::mount("tmpfs", memory, "tmpfs", 0, "size=600m");
  must_run({"truncate", "-s", "512M", memory + "/image"});
  must_run({"mkfs.ext4", "-q", memory + "/image"});
  node.mount_image(memory + "/image", "ext4", where);
  const Postgres server(home_of("postgres", where), node.directory() + "/pg");
  constexpr int kTransactions = 20000;
  server.bench(kTransactions);  // warm
  const int rounds = std::max(seconds_to_run() / 40, 5);
  std::vector<double> without;
  std::vector<double> ratios;
  for (int i = 0; i < rounds; ++i) {
    progress("postgresql", i, rounds);
    const double quiet = server.bench(kTransactions).transactions_per_second;
    Agent::Options options;
    options.latency = true;
    const Agent agent(node.agent_flags(), options);
    const std::string last = "program=\"libaio_sync\"";
    if (!agent.ready() ||
        !eventually([&] { return agent.log().find(last) != std::string::npos; }, 60s)) {
      return 1;
    }
    without.push_back(quiet);
    ratios.push_back(server.bench(kTransactions).transactions_per_second / quiet);
  }
  progress("postgresql", rounds, rounds);
  std::printf("\n## pgbench, one client, with the whole agent and without, medians of %d pairs\n\n",
              rounds);
  std::printf("| | figure | goal |\n| --- | --- | --- |\n");
  std::printf("| transactions a second, without | %.0f | – |\n", median(without));
  std::printf("| with, of those without | %.3f | 0.99 |\n", median(ratios));
  std::printf("| the lowest and the highest pair | %.3f to %.3f | – |\n", percentile(ratios, 0),
              percentile(ratios, 1));
  return 0;
}

}  // namespace
}  // namespace volumeter::bench

int main(int argc, char** argv) {
  if (const auto why = volumeter::test::why_no_mounts()) {
    std::fprintf(stderr, "bench_sync: %s\n", why->c_str());
    return 0;
  }
  volumeter::test::enter_mount_namespace();
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "calls") return volumeter::bench::bench_calls();
  if (what == "postgresql") return volumeter::bench::bench_postgresql();
  std::fprintf(stderr, "usage: bench_sync calls|postgresql\n");
  return 2;
}
