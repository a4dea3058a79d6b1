#include "bench/alerts/promtool.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace volumeter::backtest {
namespace {

using namespace std::chrono_literals;

volatile std::sig_atomic_t signalled = 0;

test::Process start(std::vector<std::string> argv, const std::string& directory,
                    const std::string& log) {
  std::filesystem::remove(log);
  argv.insert(argv.begin(),
              {"env", "-C", directory, "promtool", "tsdb", "create-blocks-from", "--quiet",
               "--max-block-duration=" + std::to_string(kBlockSpan) + "s"});
  test::Process::Options options;
  options.stderr_path = log;
  return {argv, options};
}

}  // namespace

Promtool::Promtool(std::vector<std::string> argv, const std::string& directory)
    : log_(directory + "/promtool.log"), process_(start(std::move(argv), directory, log_)) {}

void Promtool::finish() {
  std::optional<int> code;
  while (!code) {
    code = process_.wait(200ms);
    check_stopped();
  }
  // Where one rule of several fails it says so, and ends with 0.
  const std::string log = slurp(log_);
  if (*code != 0 || log.find("level=error") != std::string::npos) {
    throw std::runtime_error("promtool: " + log);
  }
}

void catch_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    std::signal(number, [](int /*number*/) { signalled = 1; });
  }
}

bool stopped() { return signalled != 0; }

void check_stopped() {
  if (stopped()) throw std::runtime_error("stopped");
}

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace volumeter::backtest
