#include "bench/support.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/agent.h"

namespace volumeter::bench {

using namespace test;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

int seconds_to_run() {
  const char* given = std::getenv("BENCH_SECONDS");
  return given != nullptr ? std::atoi(given) : 600;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  if (values.empty()) return 0;
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(p * static_cast<double>(values.size())))];
}

double cpu_seconds(pid_t root) {
  double total = 0;
  for (const pid_t pid : process_tree(root)) {
    std::error_code ignored;
    for (const auto& thread :
         fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", ignored)) {
      std::ifstream schedstat(thread.path() / "schedstat");
      double nanoseconds = 0;
      if (schedstat >> nanoseconds) total += nanoseconds * 1e-9;
    }
  }
  std::ifstream stat("/proc/" + std::to_string(root) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string field;
  double ended = 0;
  for (int i = 3; i <= 17 && fields >> field; ++i) {
    if (i >= 16) ended += std::atof(field.c_str());
  }
  return total + ended / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double pss_mib(pid_t root) {
  double kib = 0;
  for (const pid_t pid : process_tree(root)) {
    std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);) {
      if (line.starts_with("Pss:")) kib += std::atof(line.c_str() + 4);
    }
  }
  return kib / 1024;
}

std::size_t open_fds(pid_t root) {
  std::size_t count = 0;
  for (const pid_t pid : process_tree(root))
    count += count_entries("/proc/" + std::to_string(pid) + "/fd");
  return count;
}

double scrape(int port, std::size_t* bytes) {
  const auto start = Clock::now();
  const HttpAnswer answer = http_get(port, "/metrics", "Accept-Encoding: gzip\r\n");
  const std::chrono::duration<double> took = Clock::now() - start;
  if (answer.status != 200) std::fprintf(stderr, "scrape failed: HTTP %d\n", answer.status);
  if (bytes != nullptr) *bytes = answer.body.size();
  return took.count();
}

std::size_t count_series(int port) { return parse_metrics(http_get(port, "/metrics").body).size(); }

void progress(const char* what, int done, int all) {
  if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r%s %d/%d \x1b[K", what, done, all);
  if (done == all && ::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\x1b[K");
}

}  // namespace volumeter::bench
