// `volumeter bench` beside fio, a pulse beside ioping, and what pulses cost a workload.
//   bench_probe fio [PROFILE]|pulse|workload
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "host/event_loop.h"
#include "measure/probe/probe.h"
#include "support.h"
#include "support/agent.h"
#include "support/node.h"
#include "support/postgres.h"
#include "workers/worker_pool.h"

namespace volumeter::bench {
namespace {

using namespace test;
using Json = nlohmann::json;

// ext4 on a loop device over memory: a disk's own noise is larger than what is looked for.
struct Volume {
  explicit Volume(const std::string& name = "volume") {
    const std::string memory = node.directory() + "/memory";
    make_directories(memory);
    Node::mount("tmpfs", memory, "tmpfs", 0, "size=700m");
    must_run({"truncate", "-s", "600M", memory + "/image"});
    must_run({"mkfs.ext4", "-q", memory + "/image"});
    where = node.csi_dir("u", name);
    node.mount_image(memory + "/image", "ext4", where);
  }
  Node node;
  std::string where;
};

struct Case {
  const char* profile;
  const char* rw;
  int depth;
  const char* block;
};
constexpr Case kCases[] = {
    {"randread", "randread", 1, "4k"},   {"randread", "randread", 16, "4k"},
    {"randwrite", "randwrite", 1, "4k"}, {"randwrite", "randwrite", 16, "4k"},
    {"seqread", "read", 1, "64k"},       {"seqread", "read", 16, "64k"},
    {"seqwrite", "write", 1, "64k"},     {"seqwrite", "write", 16, "64k"},
    {"fsync", "write", 1, "4k"},
};

struct Figures {
  double iops = 0;
  double p50 = 0;
  double p99 = 0;
  double cpu = 0;  // seconds of an operation
};

Figures figures_of(const Output& output) {
  const auto begin = output.text.find('{');
  const Json all =
      Json::parse(begin == std::string::npos ? "" : output.text.substr(begin), nullptr, false);
  if (output.code != 0 || !all.is_object()) {
    std::fprintf(stderr, "%s\n", output.text.c_str());
    std::exit(1);
  }
  const Json& job = all["jobs"][0];
  const Json& direction = job["read"]["total_ios"] > 0 ? job["read"] : job["write"];
  const bool syncs = job["sync"]["lat_ns"]["N"] > 0;
  const Json& percentiles = (syncs ? job["sync"]["lat_ns"] : direction["clat_ns"])["percentile"];
  const double iops = direction["iops"];
  return {iops, percentiles["50.000000"], percentiles["99.000000"],
          (job["usr_cpu"].get<double>() + job["sys_cpu"].get<double>()) / 100 / iops};
}

Figures ours(const std::string& where, const Case& one, const std::string& seconds) {
  return figures_of(
      run({VOLUMETER_PATH, "bench", where, "-p", one.profile,
           "--depth=" + std::to_string(one.depth), std::string("--block-size=") + one.block,
           "--size=128M", "--runtime=" + seconds + "s", "--ramp=500ms", "-o", "json"}));
}

Figures fios(const std::string& where, const Case& one, const std::string& seconds) {
  std::vector<std::string> argv = {"fio",
                                   "--name=peer",
                                   "--filename=" + where + "/peer",
                                   "--size=128m",
                                   "--ioengine=io_uring",
                                   "--direct=1",
                                   std::string("--rw=") + one.rw,
                                   std::string("--bs=") + one.block,
                                   "--iodepth=" + std::to_string(one.depth),
                                   "--norandommap",
                                   "--randrepeat=0",
                                   "--time_based",
                                   "--runtime=" + seconds,
                                   "--ramp_time=500ms",
                                   "--output-format=json"};
  if (std::string_view(one.profile) == "fsync") argv.emplace_back("--fdatasync=1");
  return figures_of(run(argv));
}

// How far two runs of the same thing are apart.
double noise(const std::vector<double>& values) {
  std::vector<double> apart;
  for (std::size_t i = 1; i < values.size(); ++i) {
    apart.push_back(std::abs(values[i] / values[i - 1] - 1));
  }
  return median(apart);
}

int bench_fio(std::string_view only) {
  if (run({"fio", "--version"}).code != 0) return 0;
  // On a loop device over memory the scheduler decides at depth 1 whether an operation is over
  // before its submission has returned: a disk of the machine's own, then.
  const Node node;
  const std::string where = node.directory() + "/bench";
  make_directories(where);
  must_run({"dd", "if=/dev/urandom", "of=" + where + "/peer", "bs=1M", "count=128", "conv=fsync",
            "status=none"});
  constexpr int kPairs = 7;
  const int seconds = std::clamp(seconds_to_run() / 200, 1, 5);
  std::printf(
      "\n## `volumeter bench` and fio, ratios, medians of %d interleaved pairs of %d s\n\n"
      "On the machine's own disk, io_uring, O_DIRECT; of fsync the syncs' "
      "times. Noise: "
      "how "
      "far two runs of fio in a row are apart.\n\n"
      "| profile | depth | IOPS | p50 | p99 | CPU of an operation | noise of IOPS | of p50 | of "
      "p99 "
      "|\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
      kPairs, seconds);
  int done = 0;
  for (const Case& one : kCases) {
    if (!only.empty() && only != one.profile) continue;
    std::vector<double> iops, p50, p99, cpu, fio_iops, fio_p50, fio_p99;
    for (int i = 0; i < kPairs; ++i) {
      progress("fio", done++, kPairs * static_cast<int>(std::size(kCases)));
      Figures a, b;
      const std::string time = std::to_string(seconds);
      if (i % 2 == 0) {
        a = ours(where, one, time);
        b = fios(where, one, time);
      } else {
        b = fios(where, one, time);
        a = ours(where, one, time);
      }
      iops.push_back(a.iops / b.iops);
      p50.push_back(a.p50 / b.p50);
      p99.push_back(a.p99 / b.p99);
      cpu.push_back(a.cpu / b.cpu);
      fio_iops.push_back(b.iops);
      fio_p50.push_back(b.p50);
      fio_p99.push_back(b.p99);
    }
    std::printf("| %s | %d | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", one.profile,
                one.depth, median(iops), median(p50), median(p99), median(cpu), noise(fio_iops),
                noise(fio_p50), noise(fio_p99));
  }
  return 0;
}

// Pulses, one after the other, as the agent's worker does them.
std::vector<PulseAnswer> pulses(const Volume& volume, int count) {
  EventLoop loop;
  WorkerOptions options;
  options.program = {VOLUMETER_PATH, "/", WorkerProfile::kProbing};
  WorkerPool pool(loop, options);
  struct stat st {};
  if (::stat(volume.where.c_str(), &st) != 0) std::exit(1);
  const Target target{
      {major(st.st_dev), minor(st.st_dev)}, "/", volume.where, "ext4", false, "", false};
  std::vector<PulseAnswer> answers;
  const std::function<void()> next = [&] {
    pool.submit({kPulse, target, 0}, [&](const JobResult& result) {
      const auto answer = result.answer.load<PulseAnswer>();
      if (result.answer.error == 0 && answer.flaw == ProbeFlaw::kNone) answers.push_back(answer);
      if (--count == 0) return loop.stop();
      loop.after(std::chrono::milliseconds(20), next);
    });
  };
  next();
  loop.run();
  return answers;
}

// ioping's raw statistics (ioping(1), -B): the sixth number is the mean, in ns.
double ioping(const Volume& volume, const std::vector<std::string>& more) {
  std::vector<std::string> argv = {"ioping", "-B", "-D", "-c", "60", "-i", "0.02", "-s", "4k"};
  argv.insert(argv.end(), more.begin(), more.end());
  argv.push_back(volume.where);
  std::istringstream words(run(argv).text);
  double value = 0;
  for (int i = 0; i < 6; ++i) words >> value;
  return value;
}

int bench_pulse() {
  if (run({"ioping", "-v"}).code != 0) return 0;
  const Volume volume;
  constexpr int kPairs = 7;
  std::vector<double> reads, writes, peer_reads, peer_writes;
  for (int i = 0; i < kPairs; ++i) {
    progress("pulse", i, kPairs);
    const auto answers = pulses(volume, 60);
    double read = 0, write = 0;
    for (const PulseAnswer& answer : answers) {
      read += static_cast<double>(answer.read_ns) / static_cast<double>(answers.size());
      write += static_cast<double>(answer.overwrite_ns) / static_cast<double>(answers.size());
    }
    reads.push_back(read);
    writes.push_back(write);
    peer_reads.push_back(ioping(volume, {}));
    peer_writes.push_back(ioping(volume, {"-W", "-y"}));
  }
  const auto row = [](const char* what, const std::vector<double>& a,
                      const std::vector<double>& b) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
    std::printf("| %s | %.1f | %.1f | %.3f | %.3f |\n", what, median(a) / 1000, median(b) / 1000,
                median(ratios), noise(b));
  };
  std::printf(
      "\n## A pulse and ioping: mean of 60, us, medians of %d interleaved pairs\n\n"
      "| operation | volumeter | ioping | ratio | noise of ioping |\n| --- | --- | --- | --- | --- "
      "|\n",
      kPairs);
  row("4 KiB read, O_DIRECT", reads, peer_reads);
  row("4 KiB overwrite, O_DIRECT, made durable", writes, peer_writes);
  return 0;
}

// An agent that probes the volume as often as it does by default, and does nothing else there.
std::unique_ptr<Agent> prober(const Volume& volume, ApiServer& api) {
  ClaimSpec claim{"bench", "data", "volume", "600Mi"};
  claim.annotations_json = R"("volumeter.io/probe":"on")";
  put_claim(api, claim);
  api.set_pod("u", pod_json("bench", "db-0", "u", claim_volume_json("data", "data")));
  std::vector<std::string> flags = volume.node.agent_flags();
  flags.push_back("--kube.api-url=" + api.url());
  auto agent = std::make_unique<Agent>(flags);
  const std::string probed =
      R"(volumeter_probe_success{namespace="bench",persistentvolumeclaim="data"})";
  if (!agent->ready() || !agent->sees(probed, 1, std::chrono::seconds(40))) std::exit(1);
  return agent;
}

double tenants_p99(const Volume& volume, int seconds) {
  const Output output =
      run({"fio", "--name=tenant", "--filename=" + volume.where + "/tenant", "--size=32m",
           "--rw=write", "--bs=4k", "--fdatasync=1", "--rate_iops=200", "--time_based",
           "--runtime=" + std::to_string(seconds), "--output-format=json"});
  const Json all = Json::parse(output.text.substr(output.text.find('{')));
  return all["jobs"][0]["sync"]["lat_ns"]["percentile"]["99.000000"];
}

int bench_workload() {
  if (!Postgres::installed()) return 0;
  const Volume volume;
  ApiServer api;
  const Postgres server(home_of("postgres", volume.where), volume.node.directory() + "/pg");
  constexpr int kTransactions = 20000;
  const int seconds = std::clamp(seconds_to_run() / 30, 11, 30);
  server.bench(kTransactions);  // warm
  const int rounds = std::max(seconds_to_run() / 80, 5);
  std::vector<double> quiet_tps, tps, quiet_p99, p99;
  const auto measure = [&](std::vector<double>& transactions, std::vector<double>& syncs) {
    transactions.push_back(server.bench(kTransactions).transactions_per_second);
    syncs.push_back(tenants_p99(volume, seconds));
  };
  for (int i = 0; i < rounds; ++i) {
    progress("workload", i, rounds);
    measure(quiet_tps, quiet_p99);
    const auto agent = prober(volume, api);
    measure(tps, p99);
  }
  std::vector<double> rate, latency;
  for (std::size_t i = 0; i < tps.size(); ++i) {
    rate.push_back(tps[i] / quiet_tps[i]);
    latency.push_back(quiet_p99[i] / p99[i]);
  }
  std::printf(
      "\n## What a pulse every 10 s costs a workload on ext4, %d interleaved pairs\n\n"
      "| what | without | with | ratio (goal 0.99) | from | to | noise without |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n",
      rounds);
  std::printf("| pgbench, transactions/s | %.0f | %.0f | %.3f | %.3f | %.3f | %.3f |\n",
              median(quiet_tps), median(tps), median(rate), percentile(rate, 0),
              percentile(rate, 1), noise(quiet_tps));
  std::printf("| fdatasync of the tenant, p99, us | %.0f | %.0f | %.3f | %.3f | %.3f | %.3f |\n",
              median(quiet_p99) / 1000, median(p99) / 1000, median(latency), percentile(latency, 0),
              percentile(latency, 1), noise(quiet_p99));
  return 0;
}

}  // namespace
}  // namespace volumeter::bench

int main(int argc, char** argv) {
  using namespace volumeter;
  if (const auto why = test::why_no_mounts()) {
    std::fprintf(stderr, "bench_probe: %s\n", why->c_str());
    return 0;
  }
  test::enter_mount_namespace();
  const std::string_view what = argc >= 2 ? argv[1] : "";
  if (what == "fio") return bench::bench_fio(argc > 2 ? argv[2] : "");
  if (what == "pulse") return bench::bench_pulse();
  if (what == "workload") return bench::bench_workload();
  std::fprintf(stderr, "usage: bench_probe fio [PROFILE]|pulse|workload\n");
  return 2;
}
