// bench_alerts [--claims N] [--days D] [--seed S] [--rules DIR]: our alerts about space, as they
// stand in alerts/, beside kubernetes-mixin's, on claims of which the truth is known. Prints
// figures; asserts nothing.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string_view>

#include "bench/alerts/openmetrics.h"
#include "bench/alerts/promtool.h"
#include "bench/alerts/report.h"
#include "bench/support.h"
#include "support/temp_directory.h"

namespace {

using namespace volumeter;
using namespace volumeter::backtest;

struct Options {
  Setting setting;
  std::string rules = SOURCE_DIR "/alerts";
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (i + 1 == argc) return std::nullopt;
    const char* value = argv[i + 1];
    if (flag == "--claims") {
      options.setting.claims = std::atoi(value);
    } else if (flag == "--days") {
      options.setting.days = std::atoi(value);
    } else if (flag == "--seed") {
      options.setting.seed = std::strtoull(value, nullptr, 10);
    } else if (flag == "--rules") {
      options.rules = std::filesystem::absolute(value);
    } else {
      return std::nullopt;
    }
  }
  if (options.setting.claims < 1 || options.setting.days < 1) return std::nullopt;
  return options;
}

// In the pieces that become blocks, lest promtool read it all for each of them.
void load(const Cluster& cluster, const History& history) {
  const int steps = cluster.setting.steps();
  for (int from = 0; from < steps;) {
    bench::progress("load", from, steps);
    const std::int64_t time = kEpoch + from * kStep;
    const std::int64_t block_end = (time / kBlockSpan + 1) * kBlockSpan;
    const int until = std::min(steps, static_cast<int>((block_end - kEpoch) / kStep));
    write_samples(cluster, from, until, "samples.txt");
    history.load("samples.txt");
    from = until;
  }
  bench::progress("load", steps, steps);
}

void record(const Policy& policy, History& history) {
  const int count = static_cast<int>(policy.recordings.size());
  for (int i = 0; i < count; ++i) {
    bench::progress("record", i, count);
    history.record(policy.recordings[i]);
  }
  bench::progress("record", count, count);
}

int run(const Options& options) {
  const Policy ours = our_policy(options.rules);
  const Policy theirs = mixin_policy();
  const test::TempDirectory directory("alerts");
  // The files of promtool too. In a directory of its own, a run repeats to the last digit: where
  // Prometheus evaluates in a step depends on the rule file's path.
  std::filesystem::current_path(directory.path());
  ::setenv("TMPDIR", directory.path().c_str(), 1);
  ::setenv("GOGC", "400", 0);  // there is memory, and less time
  const Cluster cluster = make_cluster(options.setting);
  History history(kEpoch, kEpoch + options.setting.end() - kStep);
  load(cluster, history);
  history.start();
  record(ours, history);
  const Outcome us{ours, score(ours, cluster, evaluate(ours, cluster, history))};
  const Outcome them{theirs, score(theirs, cluster, evaluate(theirs, cluster, history))};
  print_mix(cluster, us.scores);
  print_summary(options.setting, us, them);
  print_kinds(options.setting, us, them);
  print_alerts(us);
  print_alerts(them);
  std::filesystem::current_path("/");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: bench_alerts [--claims N] [--days D] [--seed S] [--rules DIR]\n");
    return 2;
  }
  catch_signals();
  if (::nice(10) == -1) std::perror("nice");
  try {
    return run(*options);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench_alerts: %s\n", failure.what());
    return 1;
  }
}
