// Wiring only: which part of the binary this process is.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "benchmark/job.h"
#include "cli/commands.h"
#include "config/config.h"
#include "measure/all.h"
#include "measure/probe/probe.h"
#include "measure/usage/deleted_scan.h"
#include "measure/usage/tree.h"
#include "workers/tracing.h"
#include "workers/worker_main.h"
#include "workers/worker_process.h"

namespace {

int trace(const std::string& measurer, const std::string& program, const std::string& maps) {
  using namespace volumeter;
  for (const auto& candidate : make_all_measurers(HostPaths{})) {
    const auto* tracing = dynamic_cast<const TracingMeasurer*>(candidate.get());
    if (tracing == nullptr || tracing->name() != measurer) continue;
    unsigned count = 0;
    std::from_chars(maps.data(), maps.data() + maps.size(), count);
    return tracing_main(*tracing, program, count);
  }
  return 1;
}

volumeter::WorkerDuty duty(std::string_view profile) {
  using namespace volumeter;
  if (profile == to_string(WorkerProfile::kListing)) {
    return {WorkerProfile::kListing, tree_functions()};
  }
  if (profile == to_string(WorkerProfile::kProbing)) {
    return {WorkerProfile::kProbing, probe_functions(), prepare_probes};
  }
  return {WorkerProfile::kMetadata, worker_functions(make_all_measurers(HostPaths{}))};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace volumeter;
  if (argc == 3 && std::string_view(argv[1]) == kWorkerCommand &&
      std::string_view(argv[2]) == kDeletedWorker) {
    return deleted_worker_main();
  }
  if (argc == 4 && std::string_view(argv[1]) == kWorkerCommand) {
    return worker_main(argv[3], duty(argv[2]));
  }
  if (argc == 6 && std::string_view(argv[1]) == kWorkerCommand &&
      std::string_view(argv[2]) == kTracingWorker) {
    return trace(argv[3], argv[4], argv[5]);
  }
  std::vector<std::string> names;
  for (const auto& measurer : make_all_measurers(HostPaths{})) {
    names.emplace_back(measurer->name());
  }
  std::vector<std::string> profiles;
  for (const JobSpec& profile : all_profiles()) profiles.push_back(profile.name);
  const ParsedConfig parsed = parse_config(argc, argv, names, profiles);
  if (parsed.exit) {
    std::fputs(parsed.message.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  const Config& config = parsed.config;
  if (config.command == "du") return run_du(config.du);
  configure_log(config.command == "df" ? LogLevel::kError : config.log_level, config.log_format);
  const bool json = config.output == Output::kJson;
  const AuditTo otherwise = json ? AuditTo::kSystemLog : AuditTo::kStandardError;
  if (const Status audited = configure_audit(config.audit_log, otherwise); !audited) {
    std::fprintf(stderr, "--audit.log: %s\n", audited.error().message.c_str());
    return 2;
  }
  if (config.command == "bench") return run_bench(config.bench, json);
  if (config.command == "check") return run_check(config.check, json);
  const Measurers measurers =
      make_all_measurers(config.host, {config.latency_of_all, config.orphans_after});
  return config.command == "df" ? run_df(config, measurers) : run_agent(config, measurers);
}
