#include "measure/usage/parallel_walk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "host/host.h"

namespace volumeter {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kProgress = std::chrono::milliseconds(300);

class Crew {
 public:
  Crew(int root, const ParallelWalk& options)
      : root_(root),
        options_(options),
        device_(device_of(root)),
        hard_links_(std::make_shared<HardLinks>(options.hard_link_bytes)) {}

  WalkTotals run() {
    paths_.emplace_back();
    {
      std::vector<std::jthread> threads;
      threads.reserve(static_cast<std::size_t>(options_.threads));
      for (int i = 0; i < options_.threads; ++i) threads.emplace_back([this] { work(); });
    }
    return totals_;
  }

 private:
  static dev_t device_of(int fd) {
    struct stat st {};
    return ::fstat(fd, &st) == 0 ? st.st_dev : 0;
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      news_.wait(lock, [&] { return !paths_.empty() || busy_ == 0; });
      if (paths_.empty()) return;  // nobody is left who could find more
      // The last one found: depth first keeps the list short.
      const std::string path = std::move(paths_.back());
      paths_.pop_back();
      ++busy_;
      lock.unlock();
      std::vector<std::string> below;
      const WalkTotals found = look_into(path, below);
      lock.lock();
      --busy_;
      totals_.add(found);
      for (std::string& name : below) paths_.push_back(std::move(name));
      news_.notify_all();
      tell_progress();
    }
  }

  WalkTotals look_into(const std::string& path, std::vector<std::string>& below) {
    WalkTotals lost;
    UniqueFd directory;
    if (!path.empty()) {
      auto opened =
          open_resolved(root_, path, O_PATH | O_DIRECTORY, Resolve::kBeneathOneFilesystem);
      if (!opened) {
        // Mounts are left out, and so is what went or became something else.
        const int code = opened.error().code;
        const bool gone = code == ENOENT || code == ENOTDIR || code == ELOOP || code == EXDEV;
        if (!gone) failed(path, code, lost);
        return lost;
      }
      directory = std::move(opened).value();
      if (device_of(directory.get()) != device_) return lost;  // a btrfs subvolume
    }
    const std::string prefix = path.empty() ? "" : path + "/";
    Walk walk(hard_links_, {}, [&](const std::string& name, int code) {
      const std::lock_guard lock(errors_);
      if (options_.on_error) options_.on_error(prefix + name, code);
    });
    walk.hand_out([&](const std::string& name) {
      if (prefix.size() + name.size() > kLongestPath) return false;
      below.push_back(prefix + name);
      return true;
    });
    const auto done = walk.advance(directory ? directory.get() : root_, [] { return false; });
    if (!done) failed(path, done.error().code, lost);
    return done ? walk.totals() : lost;
  }

  void failed(const std::string& path, int code, WalkTotals& totals) {
    ++totals.errors;
    const std::lock_guard lock(errors_);
    if (options_.on_error) options_.on_error(path, code);
  }

  void tell_progress() {
    const auto now = Clock::now();
    if (!options_.on_progress || now - told_ < kProgress) return;
    told_ = now;
    options_.on_progress(totals_);
  }

  const int root_;
  const ParallelWalk& options_;
  const dev_t device_;
  const std::shared_ptr<HardLinks> hard_links_;
  std::mutex errors_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable news_;
  std::vector<std::string> paths_;
  int busy_ = 0;
  WalkTotals totals_;
  Clock::time_point told_ = Clock::now();
};

}  // namespace

WalkTotals walk_in_parallel(int root, const ParallelWalk& options) {
  return Crew(root, options).run();
}

}  // namespace volumeter
