// bench_io latency|claims: what timing block I/O costs, against a biolatency of the usual make in
// the same run; and what a scrape with many claims on devices of their own costs. Asserts nothing.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/support.h"
#include "measure/latency/block_memory.h"
#include "measure/latency/programs.h"
#include "support/agent.h"
#include "support/api_server.h"
#include "support/node.h"

// After the types that it uses.
#include "peer_biolatency.skel.h"

namespace {

using namespace volumeter;
using namespace volumeter::bench;
using namespace volumeter::test;
using Json = nlohmann::json;

// Reads at random places of `device`, for two seconds.
double iops(const std::string& device) {
  const Output output = run({"fio", "--name=b", "--filename=" + device, "--rw=randread", "--bs=4k",
                             "--direct=1", "--ioengine=libaio", "--iodepth=16", "--time_based",
                             "--runtime=2", "--size=64m", "--output-format=json"});
  const auto begin = output.text.find('{');
  if (output.code != 0 || begin == std::string::npos) {
    std::fprintf(stderr, "fio: %s\n", output.text.c_str());
    std::exit(1);
  }
  return Json::parse(output.text.substr(begin))["jobs"][0]["read"]["iops"];
}

struct RunTime {
  double ns = 0;
  double runs = 0;
};

// The kernel's own account of each tracing program that is loaded, by name.
std::map<std::string, RunTime> run_times() {
  std::map<std::string, RunTime> all;
  for (__u32 id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    __u32 size = sizeof info;
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) continue;
    RunTime& one = all[info.name];
    one.ns += static_cast<double>(info.run_time_ns);
    one.runs += static_cast<double>(info.run_cnt);
  }
  return all;
}

// Nanoseconds of all programs whose name begins so, for each run of `completion`, while `work`
// runs.
double cost_of(const std::string& prefix, const std::string& completion,
               const std::function<void()>& work) {
  const auto before = run_times();
  const UniqueFd enabled(bpf_enable_stats(BPF_STATS_RUN_TIME));
  work();
  double ns = 0;
  double runs = 0;
  for (const auto& [name, total] : run_times()) {
    if (!name.starts_with(prefix)) continue;
    const auto it = before.find(name);
    const RunTime old = it == before.end() ? RunTime{} : it->second;
    ns += total.ns - old.ns;
    if (name.starts_with(completion)) runs = total.runs - old.runs;
  }
  return runs > 0 ? ns / runs : 0;
}

// Our programs on `device`, until it goes out of scope. Where the kernel keeps the times itself,
// the second one isn't needed after a minute.
class Ours {
 public:
  Ours(const std::string& device, bool issue) {
    std::vector<int> maps;
    attach(kRequestComplete, maps);
    memory_ = std::make_unique<BlockMemory>(map_latency_memory(maps.at(0)).value());
    struct stat st {};
    ::stat(device.c_str(), &st);
    memory_->watch({{{major(st.st_rdev), minor(st.st_rdev)}, 0, 0, 0}});
    memory_->set_issuing(issue);
    if (issue) attach(kRequestIssue, maps);
    for (const int map : maps) fds_.emplace_back(map);
  }

 private:
  void attach(const char* program, std::vector<int>& maps) {
    auto fds = attach_latency_program(program, maps);
    if (!fds) {
      std::fprintf(stderr, "%s\n", fds.error().message.c_str());
      std::exit(1);
    }
    fds_.emplace_back(fds->front());
    if (maps.empty()) maps.assign(fds->begin() + 1, fds->end());
  }

  std::vector<UniqueFd> fds_;
  std::unique_ptr<BlockMemory> memory_;
};

class Peer {
 public:
  Peer() : peer_(peer_biolatency_bpf__open_and_load()) {
    if (peer_ != nullptr && peer_biolatency_bpf__attach(peer_) == 0) return;
    std::fprintf(stderr, "the peer's programs can't be loaded\n");
    std::exit(1);
  }
  ~Peer() { peer_biolatency_bpf__destroy(peer_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

 private:
  peer_biolatency_bpf* peer_;
};

int bench_latency() {
  Node node;
  make_directories(node.directory() + "/memory");
  Node::mount("tmpfs", node.directory() + "/memory", "tmpfs", 0, "size=80m");
  const std::string image = node.directory() + "/memory/image";
  must_run({"dd", "if=/dev/zero", "of=" + image, "bs=1M", "count=64", "status=none"});
  const std::string device = attach_loop(image);

  const int rounds = std::max(seconds_to_run() / 40, 3);
  std::vector<double> rates[3];  // without, ours, the peer's
  std::vector<double> ours_ns;
  std::vector<double> both_ns;
  std::vector<double> peer_ns;
  for (int i = 0; i < rounds; ++i) {
    progress("latency", i, rounds);
    rates[0].push_back(iops(device));
    {
      const Ours ours(device, false);
      rates[1].push_back(iops(device));
      ours_ns.push_back(cost_of("block_", "block_rq_comp", [&] { iops(device); }));
    }
    {
      const Ours ours(device, true);
      both_ns.push_back(cost_of("block_", "block_rq_comp", [&] { iops(device); }));
    }
    const Peer peer;
    rates[2].push_back(iops(device));
    peer_ns.push_back(cost_of("peer_", "peer_complete", [&] { iops(device); }));
  }
  progress("latency", rounds, rounds);
  detach_loop(device);
  std::printf(
      "\n## Timing block I/O: a loop device over memory, 4 KiB reads, depth 16, %d rounds\n\n",
      rounds);
  std::printf(
      "| | volumeter | a biolatency with hash maps | ratio | goal |\n"
      "| --- | --- | --- | --- | --- |\n");
  const double peer = median(peer_ns);
  std::printf(
      "| BPF a completion (the kernel's run-time statistics), ns | %.0f | %.0f | %.2f | 100 "
      "ns |\n",
      median(ours_ns), peer, median(ours_ns) / peer);
  std::printf(
      "| the same where queues keep no statistics (two programs), ns | %.0f | %.0f | %.2f | "
      "– |\n",
      median(both_ns), peer, median(both_ns) / peer);
  const auto ratio = [&](int i) {
    std::vector<double> pairs;
    for (std::size_t r = 0; r < rates[0].size(); ++r) pairs.push_back(rates[i][r] / rates[0][r]);
    return median(pairs);
  };
  std::printf("| fio's IOPS with it, of those without (%.0f) | %.3f | %.3f | – | 0.98 |\n",
              median(rates[0]), ratio(1), ratio(2));
  return 0;
}

// `count` claims on ext4, each on a loop device of its own, some I/O on each.
struct Claims {
  explicit Claims(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      const std::string uid = "3f2504e0-4f89-41d3-9a0c-0305e82c" + std::to_string(1000 + i);
      const std::string where = node.csi_dir(uid, "pvc-" + n);
      node.mount_image(node.image("ext4", 16 << 20), "ext4", where);
      must_run({"dd", "if=/dev/zero", "of=" + where + "/f", "bs=4k", "count=20", "oflag=direct",
                "status=none"});
      ClaimSpec claim;
      claim.namespace_ = "bench";
      claim.name = "data-postgresql-" + n;
      claim.volume = "pvc-" + n;
      claim.storage = "16Mi";
      put_claim(api, claim);
      api.set_pod(uid,
                  pod_json("bench", "postgresql-" + n, uid, claim_volume_json("data", claim.name),
                           "StatefulSet", "postgresql"));
    }
    Agent::Options options;
    options.latency = true;
    auto flags = node.agent_flags();
    flags.insert(flags.end(), {"--kube.api-url=" + api.url(), "--kube.node-name=n1"});
    agent = std::make_unique<Agent>(flags, options);
    const std::string attached = "volumeter_bpf_program_attached{program=\"block_rq_complete\"}";
    if (!agent->ready(60s) || !agent->sees(attached, 1, 60s)) std::exit(1);
    for (int i = 0; i < count; ++i) {
      must_run({"dd", "if=/dev/zero", "bs=4k", "count=20", "oflag=direct", "status=none",
                "conv=notrunc",
                "of=" +
                    node.csi_dir("3f2504e0-4f89-41d3-9a0c-0305e82c" + std::to_string(1000 + i),
                                 "pvc-" + std::to_string(i)) +
                    "/f"});
    }
  }
  [[nodiscard]] double series_of_one() const {
    double count = 0;
    for (const auto& [series, value] : agent->metrics()) {
      if (series.find("persistentvolumeclaim=\"data-postgresql-0\"") != std::string::npos) ++count;
    }
    return count;
  }
  Node node;
  ApiServer api;
  std::unique_ptr<Agent> agent;
};

int bench_claims() {
  std::printf(
      "\n## Claims on block devices of their own\n\n| | figure | goal |\n| --- | --- | --- |\n");
  {
    const Claims thirty(30);
    std::size_t bytes = 0;
    scrape(thirty.agent->port(), &bytes);
    std::printf("| series of a claim | %.0f | 90 |\n", thirty.series_of_one());
    std::printf("| series of a node with 30 claims | %zu | 3500 |\n",
                count_series(thirty.agent->port()));
    std::printf("| bytes of a gzipped scrape, 30 claims | %zu | 60000 |\n", bytes);
  }
  const Claims hundred(100);
  constexpr int kScrapes = 200;
  scrape(hundred.agent->port());
  const double before = cpu_seconds(hundred.agent->pid());
  std::vector<double> wall;
  for (int i = 0; i < kScrapes; ++i) wall.push_back(scrape(hundred.agent->port()));
  const double cpu = cpu_seconds(hundred.agent->pid()) - before;
  std::printf("| CPU of a scrape, 100 claims, ms | %.2f | – |\n", cpu / kScrapes * 1000);
  std::printf("| wall of a scrape, 100 claims, median, ms | %.2f | – |\n", median(wall) * 1000);
  std::printf("| PSS, 100 claims, MiB | %.1f | 32 |\n", pss_mib(hundred.agent->pid()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (const auto why = why_no_mounts()) {
    std::fprintf(stderr, "bench_io: %s\n", why->c_str());
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line as it is known, in a pipe too
  enter_mount_namespace();
  if (what == "latency") return bench_latency();
  if (what == "claims") return bench_claims();
  std::fprintf(stderr, "usage: bench_io latency|claims\n");
  return 2;
}
