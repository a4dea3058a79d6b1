// What a fleet of agents asks of the API server: real metadata clients, one for each node, against
// a stand-in for it. At rest, when all start at once, when it is restarted, when it refuses.
//   bench_fleet [nodes]
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "bench/support.h"
#include "fleet/stand_in.h"
#include "kube/metadata_source.h"
#include "volumeter/log.h"

namespace volumeter::bench {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// An hour's refreshes in a few minutes; waits after failures are as they are.
constexpr double kFaster = 10;
constexpr int kClaims = StandIn::kPodsWithClaims * StandIn::kClaimsOfAPod;

MetadataOptions options_of(int node, const std::string& url) {
  MetadataOptions options;
  options.api.source = "apiserver";
  options.api.url = url;
  options.pods.node_name = "node-" + std::to_string(node);
  options.pods.watch_timeout /= kFaster;
  options.objects.claim_refresh /= kFaster;
  options.objects.volume_refresh /= kFaster;
  return options;
}

// What the processes share. Each has some of the clients: one may not have so many open files.
struct Shared {
  std::atomic<int> port{0};
  std::atomic<bool> stop{false};
  std::array<std::atomic<int>, 64> well{};  // by process
};

using Clients = std::vector<std::unique_ptr<MetadataSource>>;

// How many know all of their claims, and whether the API answers them now.
int count_well(const Clients& clients) {
  return static_cast<int>(std::count_if(clients.begin(), clients.end(), [](const auto& client) {
    const auto state = client->current();
    return state != nullptr && state->metadata->claims.size() >= kClaims &&
           std::all_of(state->sources.begin(), state->sources.end(),
                       [](const SourceState& source) { return source.up; });
  }));
}

[[noreturn]] void be_clients(Shared& shared, std::size_t self, int first, int last) {
  while (shared.port == 0) std::this_thread::sleep_for(10ms);
  const std::string url = "http://127.0.0.1:" + std::to_string(shared.port);
  Clients clients;
  for (int i = first; i < last; ++i) {
    clients.push_back(std::make_unique<MetadataSource>(options_of(i, url)));
  }
  while (!shared.stop) {
    shared.well.at(self) = count_well(clients);
    std::this_thread::sleep_for(100ms);
  }
  std::_Exit(0);
}

class Fleet {
 public:
  // Before anything else has threads.
  explicit Fleet(int nodes)
      : nodes_(nodes),
        shared_(*new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared) {
    constexpr int kOfAProcess = 1000;
    for (int first = 0; first < nodes; first += kOfAProcess) {
      const pid_t child = ::fork();
      if (child == 0) {
        be_clients(shared_, children_.size(), first, std::min(nodes, first + kOfAProcess));
      }
      children_.push_back(child);
    }
  }
  ~Fleet() {
    shared_.stop = true;
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
  }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  void start(int port) { shared_.port = port; }

  // All of them, and each with its watch. Seconds; ten minutes at most.
  double until_well(const char* what, const StandIn& api) {
    const auto begin = Clock::now();
    while (Clock::now() - begin < 10min) {
      const int count = std::accumulate(shared_.well.begin(), shared_.well.end(), 0);
      progress(what, count, nodes_);
      if (count == nodes_ && api.open_watches() >= nodes_) break;
      std::this_thread::sleep_for(100ms);
    }
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

 private:
  const int nodes_;
  Shared& shared_;
  std::vector<pid_t> children_;
};

void row(const char* phase, const Traffic& traffic, double seconds, double faster,
         const std::string& note) {
  const double n = static_cast<double>(traffic.total());
  std::printf("| %s | %.0f | %.1f | %llu | %.2f | %s |\n", phase, n, n / seconds / faster,
              static_cast<unsigned long long>(traffic.peak()),
              static_cast<double>(traffic.bytes) / seconds / faster / 1e6, note.c_str());
  std::fflush(stdout);
}

void wait(const char* what, int seconds) {
  for (int i = 0; i < seconds; ++i) {
    progress(what, i, seconds);
    std::this_thread::sleep_for(1s);
  }
}

std::string tenths(double value) {
  std::string text(32, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.1f", value)));
  return text;
}

void run(int nodes) {
  std::printf("\n## Fleet: %d nodes' metadata clients, %d pods and %d claims each\n\n", nodes,
              StandIn::kPodsWithClaims + StandIn::kOtherPods, kClaims);
  std::printf("| phase | requests | a second | busiest second | MB a second | |\n");
  std::printf("| --- | ---: | ---: | ---: | ---: | --- |\n");
  Fleet fleet(nodes);
  StandIn api(std::chrono::milliseconds(static_cast<int>(60000 / kFaster)));
  fleet.start(api.port());
  double seconds = fleet.until_well("starting", api);
  row("all start at once", api.take_traffic(), seconds, 1,
      "all names known after " + tenths(seconds) + " s");

  // One period of the slowest refresh, spread as they are by then.
  wait("settling", static_cast<int>(720 / kFaster));
  api.take_traffic();
  const int rest = static_cast<int>(3600 / kFaster);
  wait("at rest", rest);
  const Traffic at_rest = api.take_traffic();
  std::string kinds;
  for (const auto& [what, count] : at_rest.requests) {
    kinds += (kinds.empty() ? "" : ", ") + what + " " +
             tenths(static_cast<double>(count) / rest / kFaster);
  }
  row("at rest", at_rest, rest, kFaster,
      std::to_string(api.open_watches()) + " watches; a second: " + kinds);

  api.stop();
  wait("the API is away", 10);
  api.take_traffic();
  api.start();
  seconds = fleet.until_well("coming back", api);
  row("10 s away", api.take_traffic(), seconds, 1,
      "all well again after " + tenths(seconds) + " s");

  api.take_traffic();
  api.refuse(true);
  wait("refused", 60);
  api.refuse(false);
  const Traffic refused = api.take_traffic();
  row("429 for 60 s", refused, 60, 1, "Retry-After: 1");
  seconds = fleet.until_well("served again", api);
  row("served again", api.take_traffic(), seconds, 1,
      "all well again after " + tenths(seconds) + " s");
}

}  // namespace
}  // namespace volumeter::bench

int main(int argc, char** argv) {
  const int nodes = argc > 1 ? std::atoi(argv[1]) : 5000;
  if (nodes < 1 || nodes > 64000) {
    std::fprintf(stderr, "usage: bench_fleet [nodes], 1 to 64000\n");
    return 2;
  }
  // Refusals are what is measured.
  volumeter::configure_log(volumeter::LogLevel::kError, volumeter::LogFormat::kLogfmt);
  volumeter::bench::run(nodes);
  return 0;
}
