#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "benchmark/caveats.h"
#include "benchmark/progress_bar.h"
#include "benchmark/report.h"
#include "benchmark/workload_run.h"
#include "cli/commands.h"
#include "cli/stop_signal.h"
#include "host/host.h"

namespace volumeter {
namespace {

// Exit codes.
constexpr int kUsage = 2;
constexpr int kUndecided = 3;

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "volumeter check: %s\n", message.c_str());
  return code;
}

// The worst of its parts.
Fit overall(const std::vector<WorkloadSample>& samples) {
  Fit all = Fit::kFit;
  for (const WorkloadSample& sample : samples) {
    if (sample.fit() == Fit::kNotFit) return Fit::kNotFit;
    if (sample.fit() == Fit::kInsufficientData) all = Fit::kInsufficientData;
  }
  return all;
}

double measured_ns(const WorkloadSample& sample) {
  return static_cast<double>(sample.rule->quantile >= 1
                                 ? sample.syncs.max()
                                 : sample.syncs.percentile(sample.rule->quantile * 100));
}

std::string quantile_name(const WorkloadRule& rule) { return rule.quantile >= 1 ? "max" : "p99"; }

std::string to_text(const std::string& path, const std::string& workload,
                    const std::vector<WorkloadSample>& samples,
                    const std::vector<std::string>& caveats) {
  std::string out =
      printable(path) + " for " + workload + ": " + std::string(to_string(overall(samples))) + "\n";
  for (const WorkloadSample& sample : samples) {
    const WorkloadRule& rule = *sample.rule;
    out += "  " + std::string(rule.what) + ": " + quantile_name(rule) + " " +
           short_time(measured_ns(sample)) + ", at most " + short_time(rule.limit * 1e9) + ": " +
           std::string(to_string(sample.fit())) + " (" + std::to_string(sample.syncs.count()) +
           " samples, " + std::to_string(rule.least_samples) + " needed)\n    " +
           (rule.documented ? "documented: " : "heuristic: ") + std::string(rule.source) + "\n";
  }
  for (const std::string& caveat : caveats) out += "  beware: " + caveat + "\n";
  return out;
}

std::string to_json(const std::string& path, const std::string& workload,
                    const std::vector<WorkloadSample>& samples,
                    const std::vector<std::string>& caveats) {
  using Json = nlohmann::ordered_json;
  Json out = {{"path", path},
              {"workload", workload},
              {"verdict", to_string(overall(samples))},
              {"criteria", Json::array()},
              {"caveats", caveats}};
  for (const WorkloadSample& sample : samples) {
    const WorkloadRule& rule = *sample.rule;
    Json one = {{"what", rule.what},
                {"verdict", to_string(sample.fit())},
                {"quantile", rule.quantile},
                {"limitSeconds", rule.limit},
                {"documented", rule.documented},
                {"source", rule.source},
                {"samples", sample.syncs.count()},
                {"samplesNeeded", rule.least_samples}};
    if (sample.syncs.count() > 0) one["measuredSeconds"] = measured_ns(sample) * 1e-9;
    out["criteria"].push_back(std::move(one));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_check(const CheckOptions& options, bool json) {
  auto target = open_bench_target(options.path);
  if (!target) return complain(target.error().message, kUsage);
  if (target->device) {
    return complain(options.path + " is a block device: a workload needs a directory", kUsage);
  }
  if (const Status room = check_room(*target, kWorkloadRoom); !room) {
    return complain(room.error().message, kUsage);
  }
  audit_writes(*target, "check", kWorkloadRoom);
  stop_on_signals();
  ProgressBar bar;
  WorkloadControl control;
  control.runtime = options.runtime;
  control.stop = &stop_flag();
  control.progress = [&](const WorkloadSample& sample, double share) {
    bar.show(std::string(sample.rule->what), share,
             "p99 " + short_time(static_cast<double>(sample.syncs.percentile(99))));
  };
  const auto samples = run_workload(options.workload, *target, control);
  bar.clear();
  if (stop_requested()) return complain("interrupted", 130);
  for (const WorkloadSample& sample : samples) {
    if (sample.error == 0) continue;
    return complain(
        options.path + ": " + std::string(sample.rule->what) + ": " + std::strerror(sample.error),
        1);
  }
  const auto caveats = caveats_of(*target);
  std::fputs((json ? to_json(options.path, options.workload, samples, caveats)
                   : to_text(options.path, options.workload, samples, caveats))
                 .c_str(),
             stdout);
  if (std::fflush(stdout) != 0) return 1;
  switch (overall(samples)) {
    case Fit::kFit:
      return 0;
    case Fit::kNotFit:
      return 1;
    case Fit::kInsufficientData:
      return kUndecided;
  }
  return kUndecided;
}

}  // namespace volumeter
