// Flags, environment and config file to one immutable Config.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/host.h"
#include "volumeter/log.h"
#include "volumeter/result.h"

namespace volumeter {

enum class Probing { kOff, kAnnotated, kAuto };
enum class Output { kTable, kWide, kJson };

// `volumeter du`, with du's meanings.
struct DuOptions {
  std::vector<std::string> paths;
  bool human = false;
  bool apparent = false;
  std::uint64_t block_size = 1024;  // bytes
  std::optional<std::size_t> max_depth;
  int threads = 1;
};

// `volumeter bench`, with fio's meanings; what isn't given is the profile's.
struct BenchOptions {
  std::string path;
  std::vector<std::string> profiles = {"all"};
  std::optional<std::uint64_t> block_size;  // bytes
  std::optional<unsigned> depth;
  std::optional<std::uint64_t> size;  // bytes
  std::optional<double> rate;         // operations a second
  std::chrono::milliseconds runtime{10000};
  std::chrono::milliseconds ramp{2000};
};

// `volumeter check`.
struct CheckOptions {
  std::string path;
  std::string workload;
  std::chrono::milliseconds runtime{10000};
};

struct Config {
  std::string command;  // "agent", "df", "du", "bench" or "check"

  HostPaths host;

  std::vector<std::string> listen = {":10098"};
  std::string telemetry_path = "/metrics";
  std::string web_config_file;
  bool web_pages = true;

  std::chrono::milliseconds interval{15000};
  std::chrono::milliseconds stale_after{600000};
  std::chrono::milliseconds worker_deadline{2000};
  std::chrono::milliseconds walk_interval{300000};
  bool walk = true;
  bool deleted_open = true;
  Probing probing = Probing::kAnnotated;
  std::chrono::milliseconds probe_interval{10000};
  std::chrono::milliseconds burst_interval{900000};
  std::chrono::milliseconds orphans_after{300000};
  bool latency_of_all = false;  // reads and writes, beside syncs
  std::string state_dir;        // empty: nothing is kept
  std::set<std::string> disabled_measurers;
  bool all_volumes = false;

  std::string api_url;  // empty: no API server
  std::string token_file;
  std::string ca_file;
  std::string node_name;
  std::string lease_namespace;  // empty: no Leases
  std::string kubelet_url;      // empty: pods come from the API server
  bool kubelet_insecure_tls = false;

  std::string audit_log;  // empty: standard error
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;

  Output output = Output::kTable;  // df, bench and check
  DuOptions du;
  BenchOptions bench;
  CheckOptions check;
};

// What to do after parsing: go on with `config`, or print `message` and exit.
struct ParsedConfig {
  Config config;
  bool exit = false;
  int exit_code = 0;    // 0 for --help and --version, 2 for a mistake
  std::string message;  // names the flag and what is allowed
};

// Precedence: command line, then VOLUMETER_<FLAG> in the environment, then --config.file, then
// defaults. `measurers` gives the names for --[no-]measure.<name>, `profiles` those for bench.
ParsedConfig parse_config(int argc, const char* const* argv,
                          const std::vector<std::string>& measurers,
                          const std::vector<std::string>& profiles = {});

// Every flag and its environment variable, for docs: "--interval" -> "VOLUMETER_INTERVAL".
std::vector<std::string> flag_names(const std::vector<std::string>& measurers);
std::string environment_name(const std::string& flag);
// All of them, and the subcommands' options, as Markdown tables: docs/configuration.md.
std::string flag_reference(const std::vector<std::string>& measurers,
                           const std::vector<std::string>& profiles);

}  // namespace volumeter
