// A single-threaded epoll loop with timers. Every method but stop() belongs to the thread that
// runs it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "host/unique_fd.h"
#include "volumeter/result.h"

namespace volumeter {

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using Duration = std::chrono::steady_clock::duration;
  using TimerId = std::uint64_t;

  EventLoop();

  // Calls back while `fd` is readable or has hung up. The fd must be removed before it is closed.
  void watch(int fd, Callback callback);
  // Calls back when the kernel announces a change of a file that is always readable (EPOLLPRI on
  // /proc/<pid>/mountinfo or a PSI file). An error when it is a file that announces nothing.
  Status watch_priority(int fd, Callback callback);
  void unwatch(int fd);

  // Calls back once, from run().
  TimerId after(Duration delay, Callback callback);
  void cancel(TimerId id);

  // Until stop(), after which it can be run again. Beats at least every four
  // seconds.
  void run();
  void stop();  // any thread, or a callback

  // Any thread: how long ago the loop last came round.
  [[nodiscard]] Duration since_last_beat() const;

 private:
  void fire_timers();
  [[nodiscard]] int timeout_ms() const;

  UniqueFd epoll_;
  UniqueFd wake_;
  std::unordered_map<int, Callback> callbacks_;
  std::map<std::pair<std::chrono::steady_clock::time_point, TimerId>, Callback> timers_;
  std::unordered_map<TimerId, std::chrono::steady_clock::time_point> timer_times_;
  TimerId next_timer_ = 1;
  std::atomic<std::int64_t> beat_ns_{0};
  std::atomic<bool> stopped_{false};
};

}  // namespace volumeter
