// What a fleet of agents asks of the API server: real metadata clients, one for each node, against
// a stand-in for it. At rest, when all start at once, when it is restarted, when it refuses.
//   bench_fleet [nodes]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/support.h"
#include "fleet/stand_in.h"
#include "kube/metadata_source.h"

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

class Fleet {
 public:
  Fleet(int nodes, StandIn& api) : api_(api) {
    for (int i = 0; i < nodes; ++i) {
      clients_.push_back(std::make_unique<MetadataSource>(options_of(i, api.url())));
    }
  }

  // How many know all of their claims, and whether the API answers them now.
  [[nodiscard]] std::size_t well() const {
    std::size_t count = 0;
    for (const auto& client : clients_) {
      const auto state = client->current();
      if (state == nullptr || state->metadata->claims.size() < kClaims) continue;
      bool up = true;
      for (const SourceState& source : state->sources) up = up && source.up;
      if (up) ++count;
    }
    return count;
  }
  // All of them, and each with its watch. Seconds; what it takes is waited for, ten minutes at
  // most.
  double until_well(const char* what) {
    const auto begin = Clock::now();
    while (Clock::now() - begin < 10min) {
      const std::size_t count = well();
      progress(what, static_cast<int>(count), static_cast<int>(clients_.size()));
      if (count == clients_.size() && api_.open_watches() >= static_cast<int>(count)) break;
      std::this_thread::sleep_for(100ms);
    }
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

 private:
  StandIn& api_;
  std::vector<std::unique_ptr<MetadataSource>> clients_;
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
  StandIn api(std::chrono::milliseconds(static_cast<int>(60000 / kFaster)));

  Fleet fleet(nodes, api);
  double seconds = fleet.until_well("starting");
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
  seconds = fleet.until_well("coming back");
  row("10 s away", api.take_traffic(), seconds, 1,
      "all well again after " + tenths(seconds) + " s");

  api.take_traffic();
  api.refuse(true);
  wait("refused", 60);
  api.refuse(false);
  const Traffic refused = api.take_traffic();
  row("429 for 60 s", refused, 60, 1, "Retry-After: 1");
  seconds = fleet.until_well("served again");
  row("served again", api.take_traffic(), seconds, 1,
      "all well again after " + tenths(seconds) + " s");
}

}  // namespace
}  // namespace volumeter::bench

int main(int argc, char** argv) {
  const int nodes = argc > 1 ? std::atoi(argv[1]) : 5000;
  if (nodes < 1) {
    std::fprintf(stderr, "usage: bench_fleet [nodes], 1 or more\n");
    return 2;
  }
  // Both ends of the connections are here.
  rlimit files{400000, 400000};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) std::perror("setrlimit");
  volumeter::bench::run(nodes);
  return 0;
}
