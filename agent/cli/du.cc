#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cli/commands.h"
#include "host/host.h"
#include "measure/usage/parallel_walk.h"
#include "measure/usage/walk.h"

namespace volumeter {
namespace {

constexpr std::size_t kHardLinkBytes = 256 << 20;  // of its own process, once
using Clock = std::chrono::steady_clock;

// As du -h: rounded up, one digit after the point below ten.
std::string human(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"", "K", "M", "G", "T", "P", "E"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit < 6; ++unit) value /= 1024;
  char text[32];
  const double tenths = std::ceil(value * 10) / 10;
  if (unit > 0 && tenths < 10) {
    std::snprintf(text, sizeof text, "%.1f%s", tenths, kUnits[unit]);
  } else {
    std::snprintf(text, sizeof text, "%.0f%s", std::ceil(value), kUnits[unit]);
  }
  return text;
}

class Du {
 public:
  explicit Du(const DuOptions& options)
      : options_(options), terminal_(::isatty(STDERR_FILENO) != 0) {}

  // False when something could not be looked at; what could is printed all the same.
  bool print(const std::string& path) {
    const UniqueFd root(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat st {};
    if (!root || ::fstat(root.get(), &st) != 0) return complain(path, errno);
    if (!S_ISDIR(st.st_mode)) {
      WalkTotals totals;
      totals.bytes = static_cast<std::uint64_t>(st.st_blocks) * 512;
      totals.apparent_bytes = static_cast<std::uint64_t>(st.st_size);
      line(totals, path);
      return true;
    }
    if (options_.threads > 1) return print_total(root.get(), path);
    bool good = true;
    const auto below = [&](const std::string& name) { return joined(path, name); };
    Walk walk(
        std::make_shared<HardLinks>(kHardLinkBytes),
        [&](const std::string& name, std::size_t depth, const WalkTotals& totals) {
          if (!options_.max_depth || depth <= *options_.max_depth) line(totals, below(name));
        },
        [&](const std::string& name, int code) { good = complain(below(name), code); });
    for (;;) {
      auto done = walk.advance(root.get(), [&] { return Clock::now() >= next_; });
      if (!done) return complain(path, done.error().code);
      if (*done) break;
      progress(walk.totals());
    }
    if (walk.totals().estimated) {
      std::fprintf(stderr,
                   "volumeter du: %s: too many hard links to remember; some were counted "
                   "in parts\n",
                   printable(path).c_str());
    }
    return good;
  }

 private:
  static std::string joined(const std::string& path, const std::string& name) {
    if (name.empty()) return path;
    return path + (path.ends_with('/') ? "" : "/") + name;
  }
  bool print_total(int root, const std::string& path) {
    bool good = true;
    ParallelWalk walk;
    walk.threads = options_.threads;
    walk.hard_link_bytes = kHardLinkBytes;
    walk.on_error = [&](const std::string& name, int code) {
      good = complain(joined(path, name), code);
    };
    walk.on_progress = [&](const WalkTotals& totals) { progress(totals); };
    line(walk_in_parallel(root, walk), path);
    return good;
  }
  void clear() {
    if (std::exchange(shown_, false)) std::fputs("\r\x1b[K", stderr);
  }
  void progress(const WalkTotals& totals) {
    next_ = Clock::now() + std::chrono::milliseconds(500);
    if (!terminal_) return;
    std::fprintf(stderr, "\r\x1b[K%lu entries, %s", totals.entries, human(totals.bytes).c_str());
    shown_ = true;
  }
  void line(const WalkTotals& totals, const std::string& path) {
    clear();
    const std::uint64_t bytes = options_.apparent ? totals.apparent_bytes : totals.bytes;
    const std::string size =
        options_.human ? human(bytes)
                       : std::to_string((bytes + options_.block_size - 1) / options_.block_size);
    std::printf("%s\t%s\n", size.c_str(), path.c_str());
  }
  bool complain(const std::string& path, int code) {
    clear();
    std::fprintf(stderr, "volumeter du: %s: %s\n", printable(path).c_str(), std::strerror(code));
    return false;
  }

  const DuOptions& options_;
  const bool terminal_;
  bool shown_ = false;
  Clock::time_point next_ = Clock::now() + std::chrono::milliseconds(500);
};

}  // namespace

int run_du(const DuOptions& options) {
  Du du(options);
  bool good = true;
  for (const std::string& path : options.paths) good = du.print(path) && good;
  return std::fflush(stdout) == 0 && good ? 0 : 1;
}

}  // namespace volumeter
