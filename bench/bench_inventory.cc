// bench_inventory events|churn|requests: how soon a mount shows, what many mounts and pods that
// come and go cost, and what the API server is asked for. Prints figures and ratios; asserts
// nothing.
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "bench/support.h"
#include "kube/metadata_source.h"
#include "support/agent.h"
#include "support/node.h"

namespace {

using namespace volumeter::bench;
using namespace volumeter::test;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr int kPods = 110;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void add_volumes(Node& node, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string where =
        node.csi_dir("uid-" + std::to_string(i % kPods), "v" + std::to_string(i));
    Node::mount("tmpfs", where, "tmpfs", 0, "size=1m");
  }
}

// Mounts that are no volumes: of containers, say.
void add_other_mounts(Node& node, int count) {
  const std::string source = node.directory() + "/source";
  make_directories(source);
  for (int i = 0; i < count; ++i) {
    const std::string where = node.directory() + "/other/" + std::to_string(i);
    make_directories(where);
    Node::bind(source, where);
  }
}

// Until the answer of /metrics has, or hasn't, the text.
double wait_for(const Agent& agent, const std::string& text, bool there) {
  const auto begin = Clock::now();
  while ((agent.get("/metrics").body.find(text) != std::string::npos) != there) {
    std::this_thread::sleep_for(2ms);
    if (Clock::now() - begin > 30s) break;
  }
  return milliseconds(Clock::now() - begin);
}

void print_events(int others) {
  Node node;
  add_volumes(node, 300);
  add_other_mounts(node, others);
  Agent agent(node.agent_flags());
  if (!agent.ready()) return;
  std::vector<double> appear;
  std::vector<double> vanish;
  constexpr int kRounds = 40;
  for (int i = 0; i < kRounds; ++i) {
    progress("events", i, kRounds);
    const std::string name = "new-" + std::to_string(i);
    const std::string where = node.csi_dir("uid-0", name);
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + 37 * (i % 7)));
    const std::string series = "stats_used_bytes{namespace=\"\",pod=\"uid-0\",volume=\"" + name;
    Node::mount("tmpfs", where, "tmpfs", 0, "size=1m");
    appear.push_back(wait_for(agent, series, true));
    Node::unmount(where);
    vanish.push_back(wait_for(agent, series, false));
  }
  progress("events", kRounds, kRounds);
  for (const auto& [what, times] :
       {std::pair("mount to series", &appear), std::pair("unmount to gone", &vanish)}) {
    std::printf("| %s, %d mounts, ms | %.0f | %.0f | %.0f | 1000 |\n", what, others + 300,
                median(*times), percentile(*times, 0.95), percentile(*times, 1));
  }
}

int bench_events() {
  std::printf("\n## A mount that appears and goes, 40 times, 15 s interval\n\n");
  std::printf("| | median | 95 %% | slowest | goal |\n| --- | --- | --- | --- | --- |\n");
  print_events(0);
  print_events(9700);
  return 0;
}

// Ten pods a second come, with two volumes each, and go two seconds later.
class Churn {
 public:
  Churn(Node& node, ApiServer& api) : node_(node), api_(api), thread_([this] { run(); }) {}
  ~Churn() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] int pods() const { return added_; }

 private:
  void run() {
    auto next = Clock::now();
    while (!stop_) {
      add(added_);
      if (added_ >= 20) remove(added_ - 20);
      ++added_;
      next += 100ms;
      std::this_thread::sleep_until(next);
    }
    for (int i = std::max(0, added_ - 20); i < added_; ++i) remove(i);
  }
  static std::string uid(int n) { return "churn-" + std::to_string(n); }
  void add(int n) {
    const std::string id = uid(n);
    const std::string claim = "claim-" + std::to_string(n);
    put_claim(api_, {"shop", claim, "pv-" + id, "1Mi"});
    api_.set_pod(id, pod_json("shop", id, id, claim_volume_json("data", claim)));
    Node::mount("tmpfs", node_.csi_dir(id, "pv-" + id), "tmpfs", 0, "size=1m");
    Node::mount("tmpfs", node_.volume_dir(id, "projected", "token"), "tmpfs", 0, "size=1m");
  }
  void remove(int n) {
    const std::string id = uid(n);
    api_.set_pod(
        id, pod_json("shop", id, id, claim_volume_json("data", "claim-" + std::to_string(n)), "",
                     "", true));
    Node::unmount(node_.csi_dir(id, "pv-" + id));
    Node::unmount(node_.volume_dir(id, "projected", "token"));
    fs::remove_all(node_.kubelet() + "/pods/" + id);
    api_.remove_pod(id);
  }

  Node& node_;
  ApiServer& api_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> added_ = 0;
  std::thread thread_;
};

void print_cost(const char* what, const Agent& agent, int seconds) {
  const double cpu = cpu_seconds(agent.pid());
  const auto begin = Clock::now();
  for (int i = 0; i < seconds; ++i) {
    progress(what, i, seconds);
    if (i % 15 == 0) scrape(agent.port());
    std::this_thread::sleep_until(begin + 1s * (i + 1));
  }
  progress(what, seconds, seconds);
  const std::chrono::duration<double> wall = Clock::now() - begin;
  std::printf("| %s | %.2f | %.1f |\n", what,
              (cpu_seconds(agent.pid()) - cpu) / wall.count() * 1000, pss_mib(agent.pid()));
}

void print_churn(int others) {
  Node node;
  ApiServer api;
  add_volumes(node, 300);
  add_other_mounts(node, others);
  std::vector<std::string> flags = node.agent_flags();
  flags.push_back("--kube.api-url=" + api.url());
  Agent agent(flags);
  if (!agent.ready()) return;
  const int seconds = std::max(30, seconds_to_run() / 10);
  const std::string mounts = std::to_string(others + 300) + " mounts";
  print_cost((mounts + ", at rest").c_str(), agent, seconds);
  const Churn churn(node, api);
  std::this_thread::sleep_for(3s);
  print_cost((mounts + ", ten pods a second").c_str(), agent, seconds);
}

int bench_churn() {
  std::printf("\n## Many mounts, and pods that come and go (300 volumes, 15 s interval)\n\n");
  std::printf("| | millicores | PSS, MiB |\n| --- | --- | --- |\n");
  print_churn(0);
  print_churn(9700);
  return 0;
}

std::string recorded(const std::string& name,
                     const std::vector<std::pair<std::string, std::string>>& replace) {
  std::ifstream file(std::string(SOURCE_DIR) + "/tests/fixtures/recorded-node/" + name);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  for (const auto& [from, to] : replace) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  }
  return text;
}

// An hour of a node at rest, at sixty times its pace: every interval divided by sixty. The objects
// have the size of a real cluster's.
int bench_requests() {
  constexpr int kClaims = 30;
  constexpr double kPace = 60;
  ApiServer api;
  for (int i = 0; i < kClaims; ++i) {
    const std::string n = std::to_string(i);
    put_claim(api, {"shop", "data-" + n, "pv-" + n, "1Gi"});
    api.put("/api/v1/namespaces/shop/persistentvolumeclaims/data-" + n,
            recorded("pvc-one.json",
                     {{"\"volumeName\": \"", "\"volumeName\": \"pv-" + n + "\", \"x\": \""}}));
    api.put("/api/v1/persistentvolumes/pv-" + n, recorded("pv-one.json", {}));
    api.set_pod("uid-" + n,
                pod_json("shop", "web-" + n, "uid-" + n, claim_volume_json("data", "data-" + n)));
  }
  api.put("/api/v1/namespaces/shop", R"({"metadata":{"name":"shop"}})");
  volumeter::MetadataOptions options;
  options.api.url = api.url();
  options.pods.node_name = "node";
  options.pods.watch_timeout /= kPace;
  options.objects.claim_refresh /= kPace;
  options.objects.volume_refresh /= kPace;
  volumeter::MetadataSource source(options);
  source.wait_first(10s);
  std::this_thread::sleep_for(2s);
  const auto before = source.current()->requests.front();
  for (int i = 0; i < 60; ++i) {
    progress("requests", i, 60);
    // The API server sends a bookmark about once a minute.
    api.send_to_watches(R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":)"
                        R"({"resourceVersion":"31","creationTimestamp":null}}})");
    std::this_thread::sleep_for(1s);
  }
  progress("requests", 60, 60);
  const auto after = source.current()->requests.front();
  std::printf("\n## What the API server is asked for in an hour: %d claims at rest\n\n", kClaims);
  std::printf("| request | count |\n| --- | --- |\n");
  std::uint64_t all = 0;
  for (const auto& [key, count] : after.requests) {
    const auto it = before.requests.find(key);
    const std::uint64_t hour = count - (it == before.requests.end() ? 0 : it->second);
    all += hour;
    const auto& [resource, verb, code] = key;
    std::printf("| %s %s, %s | %lu |\n", verb.c_str(), resource.c_str(), code.c_str(), hour);
  }
  std::printf("| all of them | %lu |\n| KiB received | %.0f |\n", all,
              static_cast<double>(after.received_bytes - before.received_bytes) / 1024);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (const auto why = why_no_mounts()) {
    std::fprintf(stderr, "bench_inventory: %s\n", why->c_str());
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line as it is known, in a pipe too
  enter_mount_namespace();
  if (what == "events") return bench_events();
  if (what == "churn") return bench_churn();
  if (what == "requests") return bench_requests();
  std::fprintf(stderr, "usage: bench_inventory events|churn|requests\n");
  return 2;
}
