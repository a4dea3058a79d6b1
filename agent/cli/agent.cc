#include <malloc.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/wiring.h"
#include "volumeter/version.h"
#include "web/gate.h"
#include "web/routes.h"
#include "web/server.h"
#include "workers/sandbox.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

constexpr auto kHealthyBeat = 12s;
constexpr auto kSweep = 2s;

// Blocks the signals in every thread to come; they are read from the fd instead.
UniqueFd signal_fd() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

Result<std::vector<ListenAddress>> listen_addresses(const Config& config) {
  std::vector<ListenAddress> addresses;
  for (const std::string& text : config.listen) {
    auto address = parse_listen_address(text);
    if (!address) return Error{"--web.listen-address: " + address.error().message};
    addresses.push_back(*address);
  }
  return addresses;
}

void keep_sweeping(EventLoop& loop, Server& server) {
  server.sweep();
  loop.after(kSweep, [&] { keep_sweeping(loop, server); });
}

std::string names_of(const Capabilities& capabilities) {
  std::string names;
  for (const auto& [name, granted] : capabilities) {
    if (granted) names += (names.empty() ? "" : " ") + std::string(name);
  }
  return names;
}

int fail(const std::string& message) {
  log(LogLevel::kError, message);
  return 2;
}

}  // namespace

int run_agent(const Config& config, const Measurers& measurers) {
  if (const auto problem = check_host(config)) return fail(*problem);
  auto addresses = listen_addresses(config);
  if (!addresses) return fail(addresses.error().message);
  auto gate = Gate::open(config.web_config_file);
  if (!gate) return fail("--web.config.file: " + gate.error().message);
  if (::getpid() == 1) {
    log(LogLevel::kWarn,
        "running as pid 1 of a pid namespace: a volume that hangs uninterruptibly will hold up "
        "this container's end; set hostPID: true");
  }

  for (LiveMeasurer* live : live_measurers(measurers, config.disabled_measurers)) live->prepare();
  CollectorOptions options = collector_options(config);
  options.capabilities = granted_capabilities();
  log(LogLevel::kInfo, "starting",
      {{"version", kVersion}, {"capabilities", names_of(options.capabilities)}});
  shed_capabilities();

  // Snapshots come and go: returning their memory to the kernel each time costs more than keeping
  // it.
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
  ::mallopt(M_TOP_PAD, 1 << 20);
  ::signal(SIGPIPE, SIG_IGN);  // a log reader that went away must not take us with it
  const UniqueFd signals = signal_fd();
  EventLoop loop;
  MetadataSource metadata(metadata_options(config));
  Collector collector(loop, config.host, metadata, measurers, std::move(options));
  LiveCollector live(measurers, config.disabled_measurers);
  Routes routes(
      {config.telemetry_path, node_name(config), config.web_pages},
      {[&] { return collector.snapshot(); },
       [&](const Inventory& inventory) { return live.collect(inventory); },
       [&] { return loop.since_last_beat() < kHealthyBeat; }, [&] { return collector.ready(); }});
  auto server = Server::start(
      *addresses, {}, [&](const Request& request) { return routes.handle(request); },
      gate.value().get());
  if (!server) return fail("--web.listen-address: " + server.error().message);

  for (const int port : server.value()->ports()) {
    log(LogLevel::kInfo, "listening", {{"port", std::to_string(port)}, {"version", kVersion}});
  }
  keep_sweeping(loop, *server.value());
  loop.watch(signals.get(), [&] {
    log(LogLevel::kInfo, "stopping");
    loop.stop();
  });
  loop.run();
  return 0;
}

}  // namespace volumeter
