// bench_io latency|claims: what timing block I/O costs, against a biolatency of the usual make in the
// same run; and what a scrape with many claims on devices of their own costs. Asserts nothing.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bench/support.h"
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

constexpr const char* kUid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

// Reads at random places of `device`: a second of it.
double iops(const std::string& device) {
  const Output output =
      run({"fio", "--name=b", "--filename=" + device, "--rw=randread", "--bs=4k", "--direct=1",
           "--ioengine=libaio", "--iodepth=16", "--time_based", "--runtime=2", "--size=64m",
           "--output-format=json"});
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

struct Timed {
  double ns_per_completion = 0;
  std::string programs;
};

// Of all programs whose name begins so, for each run of `completion`.
Timed cost_of(const std::string& prefix, const std::string& completion,
              const std::function<void()>& work) {
  const auto before = run_times();
  const UniqueFd enabled(bpf_enable_stats(BPF_STATS_RUN_TIME));
  work();
  const auto after = run_times();
  Timed timed;
  double ns = 0;
  double runs = 0;
  for (const auto& [name, total] : after) {
    if (!name.starts_with(prefix)) continue;
    const auto it = before.find(name);
    const RunTime old = it == before.end() ? RunTime{} : it->second;
    if (total.runs == old.runs) continue;
    ns += total.ns - old.ns;
    if (name.starts_with(completion)) runs = total.runs - old.runs;
    timed.programs += (timed.programs.empty() ? "" : ", ") + name;
  }
  timed.ns_per_completion = runs > 0 ? ns / runs : 0;
  return timed;
}

std::unique_ptr<Agent> start_agent(const Node& node) {
  Agent::Options options;
  options.latency = true;
  auto agent = std::make_unique<Agent>(node.agent_flags(), options);
  if (!agent->ready() ||
      !agent->sees("volumeter_bpf_program_attached{program=\"block_rq_complete\"}", 1, 60s)) {
    std::fprintf(stderr, "no BPF here: %s\n", agent->log().c_str());
    std::exit(1);
  }
  return agent;
}

// Where the kernel keeps the times itself, the second program goes after a minute.
void settle(const Agent& agent) {
  eventually(
      [&] {
        return !agent.metric("volumeter_bpf_program_attached{program=\"block_rq_issue\"}");
      },
      100s);
}

peer_biolatency_bpf* start_peer() {
  peer_biolatency_bpf* peer = peer_biolatency_bpf__open_and_load();
  if (peer == nullptr || peer_biolatency_bpf__attach(peer) != 0) {
    std::fprintf(stderr, "the peer's programs can't be loaded\n");
    std::exit(1);
  }
  return peer;
}

int bench_latency() {
  Node node;
  make_directories(node.directory() + "/memory");
  Node::mount("tmpfs", node.directory() + "/memory", "tmpfs", 0, "size=80m");
  const std::string image = node.directory() + "/memory/image";
  must_run({"dd", "if=/dev/zero", "of=" + image, "bs=1M", "count=64", "status=none"});
  const std::string device = attach_loop(image);
  node.block_volume(kUid, "raw", device);

  const int rounds = std::max(seconds_to_run() / 60, 3);
  std::vector<double> without;
  std::vector<double> with;
  std::vector<double> with_peer;
  Timed first;
  Timed settled;
  Timed peers;
  {
    const auto agent = start_agent(node);
    first = cost_of("block_", "block_rq_complet", [&] { iops(device); });
    settle(*agent);
    settled = cost_of("block_", "block_rq_complet", [&] { iops(device); });
  }
  {
    peer_biolatency_bpf* peer = start_peer();
    peers = cost_of("peer_", "peer_complete", [&] { iops(device); });
    peer_biolatency_bpf__destroy(peer);
  }
  // Attaching and detaching the same links, because a settled agent takes a minute.
  const auto agent = start_agent(node);
  settle(*agent);
  for (int i = 0; i < rounds; ++i) {
    progress("latency", i, rounds);
    with.push_back(iops(device));
    peer_biolatency_bpf* peer = start_peer();
    with_peer.push_back(iops(device));
    peer_biolatency_bpf__destroy(peer);
  }
  progress("latency", rounds, rounds);
  return 0;
}

int main_claims();

}  // namespace
