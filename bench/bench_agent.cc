// bench_agent scrape|footprint|clients: what the agent costs, against its peer on the same machine
// in the same run. Prints figures and ratios; asserts nothing.
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bench/support.h"
#include "support/agent.h"
#include "support/node.h"

namespace {

using namespace volumeter::bench;
using namespace volumeter::test;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

struct Cost {
  double cpu = 0;
  std::vector<double> wall;
};

int bench_scrape() {
  constexpr int kMounts = 500;
  Node node;
  for (int i = 0; i < kMounts; ++i) {
    const std::string where =
        node.volume_dir("uid-" + std::to_string(i / 5), "empty-dir", "v" + std::to_string(i));
    Node::mount("tmpfs", where, "tmpfs", 0, "size=1m");
  }
  Agent agent(node.agent_flags());
  const std::string peer_port = "19100";
  Process peer({"prometheus-node-exporter", "--web.listen-address=127.0.0.1:" + peer_port,
                "--collector.disable-defaults", "--collector.filesystem", "--collector.diskstats",
                "--collector.pressure", "--log.level=error", "--path.procfs=" + node.procfs(),
                "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys)($|/)"});
  const int their_port = std::atoi(peer_port.c_str());
  if (!agent.ready() ||
      !eventually([&] { return http_get(their_port, "/metrics").status == 200; })) {
    std::fprintf(stderr, "an agent did not start\n");
    return 1;
  }
  const int rounds = std::max(seconds_to_run() / 15, 3);
  Cost ours;
  Cost theirs;
  std::size_t our_bytes = 0;
  std::size_t their_bytes = 0;
  scrape(agent.port());
  scrape(their_port);
  const double our_start = cpu_seconds(agent.pid());
  const double their_start = cpu_seconds(peer.pid());
  auto next = Clock::now();
  for (int i = 0; i < rounds; ++i) {
    progress("scrape", i, rounds);
    // Interleaved, and alternating which goes first.
    if (i % 2 == 0) theirs.wall.push_back(scrape(their_port, &their_bytes));
    ours.wall.push_back(scrape(agent.port(), &our_bytes));
    if (i % 2 != 0) theirs.wall.push_back(scrape(their_port, &their_bytes));
    next += 15s;
    std::this_thread::sleep_until(next);
  }
  progress("scrape", rounds, rounds);
  ours.cpu = cpu_seconds(agent.pid()) - our_start;
  theirs.cpu = cpu_seconds(peer.pid()) - their_start;
  const auto per_scrape = [&](const Cost& cost) { return cost.cpu / rounds * 1000; };
  std::printf("\n## Scrape: %d tmpfs mounts, %d scrapes 15 s apart, gzip\n\n", kMounts, rounds);
  std::printf("| | volumeter | node_exporter | ratio |\n| --- | --- | --- | --- |\n");
  std::printf(
      "| CPU of the whole process tree, sampling included, ms a scrape | %.2f | %.2f | %.2f |\n",
      per_scrape(ours), per_scrape(theirs), ours.cpu / theirs.cpu);
  std::printf("| wall, median, ms | %.2f | %.2f | %.2f |\n", median(ours.wall) * 1000,
              median(theirs.wall) * 1000, median(ours.wall) / median(theirs.wall));
  std::printf("| series | %zu | %zu | %.2f |\n", count_series(agent.port()),
              count_series(their_port),
              static_cast<double>(count_series(agent.port())) /
                  static_cast<double>(count_series(their_port)));
  std::printf("| bytes, gzip | %zu | %zu | %.2f |\n", our_bytes, their_bytes,
              static_cast<double>(our_bytes) / static_cast<double>(their_bytes));
  std::printf("| PSS, MiB | %.1f | %.1f | %.2f |\n", pss_mib(agent.pid()), pss_mib(peer.pid()),
              pss_mib(agent.pid()) / pss_mib(peer.pid()));
  return 0;
}

// A memory cgroup (v1) of 64 MiB; empty where there is none.
std::string limited_cgroup() {
  const std::string path = "/sys/fs/cgroup/memory/volumeter-bench-" + std::to_string(::getpid());
  std::error_code failed;
  if (!fs::create_directory(path, failed)) return {};
  std::ofstream(path + "/memory.limit_in_bytes") << (64 << 20) << std::endl;
  return path;
}

int bench_footprint() {
  constexpr int kPods = 110;
  constexpr int kVolumes = 300;
  Node node;
  for (int i = 0; i < kVolumes; ++i) {
    const std::string uid = "uid-" + std::to_string(i % kPods);
    const std::string name = "v" + std::to_string(i);
    Node::mount("tmpfs",
                i % 3 == 0 ? node.volume_dir(uid, "projected", name) : node.csi_dir(uid, name),
                "tmpfs", 0, "size=1m");
  }
  const std::string cgroup = limited_cgroup();
  Agent::Options options;
  options.latency = true;
  options.process.cgroup = cgroup;
  std::string usage = "n/a";
  {
    Agent agent(node.agent_flags(), options);
    if (!agent.ready()) return 1;
    scrape(agent.port());
    const int rounds = std::max(seconds_to_run() / 30, 3);
    const double start = cpu_seconds(agent.pid());
    const auto begin = Clock::now();
    std::size_t bytes = 0;
    for (int i = 0; i < rounds; ++i) {
      progress("footprint", i, rounds);
      scrape(agent.port(), &bytes);
      std::this_thread::sleep_until(begin + 15s * (i + 1));
    }
    progress("footprint", rounds, rounds);
    const std::chrono::duration<double> wall = Clock::now() - begin;
    const double cpu = cpu_seconds(agent.pid()) - start;
    std::ifstream peak(cgroup + "/memory.max_usage_in_bytes");
    double peak_bytes = 0;
    if (peak >> peak_bytes) usage = std::to_string(static_cast<int>(peak_bytes / (1 << 20)));
    std::printf("\n## Footprint: %d pods, %d volumes, 15 s interval, %.0f s\n\n", kPods, kVolumes,
                wall.count());
    std::printf("| | figure | goal |\n| --- | --- | --- |\n");
    std::printf("| CPU, millicores | %.2f | 25 |\n", cpu / wall.count() * 1000);
    std::printf("| PSS of all processes, MiB | %.1f | 32 |\n", pss_mib(agent.pid()));
    std::printf("| peak of a cgroup limited to 64 MiB, MiB | %s | 64 |\n", usage.c_str());
    std::printf("| open fds of all processes | %zu | – |\n", open_fds(agent.pid()));
    std::printf("| series | %zu | 3500 |\n", count_series(agent.port()));
    std::printf("| bytes of a gzipped scrape | %zu | – |\n", bytes);
  }
  if (!cgroup.empty()) eventually([&] { return ::rmdir(cgroup.c_str()) == 0; }, 5s);
  return 0;
}

int bench_clients() {
  Node node;
  for (int i = 0; i < 50; ++i) {
    Node::mount("tmpfs", node.csi_dir("uid", "v" + std::to_string(i)), "tmpfs", 0, "size=1m");
  }
  Agent agent(node.agent_flags());
  if (!agent.ready()) return 1;
  std::vector<double> quiet;
  std::vector<double> loud;
  constexpr int kScrapes = 100;
  // Interleaved: ten scrapes in peace, ten under the clients, ten times over.
  for (int block = 0; block < 10; ++block) {
    progress("clients", block, 10);
    for (int i = 0; i < kScrapes / 10; ++i) quiet.push_back(scrape(agent.port()));
    std::vector<volumeter::UniqueFd> idle;
    for (int i = 0; i < 1000; ++i) {
      idle.push_back(
          connect_to(agent.port(), "127.0.0.1", "127.0.1." + std::to_string(i % 50 + 1)));
    }
    std::atomic<bool> stop = false;
    std::jthread dripping([&] {
      std::vector<volumeter::UniqueFd> drips;
      for (int second = 0; !stop; ++second) {
        while (drips.size() < 200) {
          drips.push_back(connect_to(agent.port(), "127.0.0.1",
                                     "127.0.2." + std::to_string(drips.size() % 20 + 1)));
        }
        for (auto& fd : drips) {
          // Cut off? Come back, as a stubborn client would.
          if (::send(fd.get(), "G", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
            fd = connect_to(agent.port(), "127.0.0.1", "127.0.2.1");
          }
        }
        for (int i = 0; i < 10 && !stop; ++i) std::this_thread::sleep_for(100ms);
      }
    });
    std::this_thread::sleep_for(1s);
    for (int i = 0; i < kScrapes / 10; ++i) loud.push_back(scrape(agent.port()));
    stop = true;
  }
  progress("clients", 10, 10);
  std::printf("\n## Scrape beside 1,000 idle clients and 200 that drip a byte a second\n\n");
  std::printf("| | alone | beside them | ratio |\n| --- | --- | --- | --- |\n");
  std::printf("| median, ms | %.2f | %.2f | %.2f |\n", median(quiet) * 1000, median(loud) * 1000,
              median(loud) / median(quiet));
  const double slowest_quiet = *std::max_element(quiet.begin(), quiet.end());
  const double slowest_loud = *std::max_element(loud.begin(), loud.end());
  std::printf("| slowest of %d, ms | %.2f | %.2f | %.2f |\n", kScrapes, slowest_quiet * 1000,
              slowest_loud * 1000, slowest_loud / slowest_quiet);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (const auto why = why_no_mounts()) {
    std::fprintf(stderr, "bench_agent: %s\n", why->c_str());
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line as it is known, in a pipe too
  enter_mount_namespace();
  if (what == "scrape") return bench_scrape();
  if (what == "footprint") return bench_footprint();
  if (what == "clients") return bench_clients();
  std::fprintf(stderr, "usage: bench_agent scrape|footprint|clients\n");
  return 2;
}
