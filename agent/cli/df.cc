#include <unistd.h>

#include <cstdio>

#include "cli/agent_activity.h"
#include "cli/commands.h"
#include "cli/wiring.h"
#include "exposition/json.h"
#include "exposition/table.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

// Somebody waits: what isn't walked by then is shown as being walked.
constexpr auto kWalkFor = 5s;
constexpr double kAllOfIt = 1e3;  // more than there is of a core

std::string print(const Config& config, const Snapshot& snapshot) {
  auto rows = to_rows(snapshot, std::chrono::system_clock::now());
  // One look shows no rates: an agent that has been looking for a minute does.
  if (config.output != Output::kTable) add_agents_activity(config, rows);
  if (config.output == Output::kJson) return to_json(snapshot, rows);
  return to_table(rows, config.output == Output::kWide) +
         to_lines(snapshot.orphans, snapshot.taken_at);
}

}  // namespace

// One round of the agent's own machinery, without the agent.
int run_df(const Config& config, const Measurers& measurers) {
  if (const auto problem = check_host(config)) {
    std::fprintf(stderr, "volumeter df: %s\n", problem->c_str());
    return 2;
  }
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  EventLoop loop;
  MetadataOptions sources = metadata_options(config);
  sources.walks = false;  // a Lease is the agent's to hold
  MetadataSource metadata(std::move(sources));
  metadata.wait_first(5s);
  CollectorOptions options = collector_options(config);
  options.walker.share = kAllOfIt;
  options.walker.state_dir.clear();  // the agent's
  options.deleted.enabled = false;
  options.tracer.enabled = false;
  options.prober.mode = ProbeMode::kOff;
  Collector collector(loop, config.host, metadata, measurers, options);
  bool patient = true;
  collector.on_snapshot([&](const Snapshot&) {
    if (collector.ready() && (collector.walked() || !patient)) loop.stop();
  });
  loop.after(kWalkFor, [&] {
    patient = false;
    if (collector.ready()) loop.stop();
  });
  loop.after(500ms, [&] {
    if (terminal) std::fputs("measuring ...\r", stderr);
  });
  // Every answer or its deadline, with room for several volumes that hang.
  loop.after(config.worker_deadline + 8s, [&] { loop.stop(); });
  loop.run();
  if (terminal) std::fputs("\x1b[K", stderr);

  const auto snapshot = collector.snapshot();
  if (snapshot == nullptr) {
    std::fputs("volumeter df: no volume could be looked at\n", stderr);
    return 1;
  }
  const std::string text = print(config, *snapshot);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace volumeter
