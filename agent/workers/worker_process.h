// One worker process as the daemon sees it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/unique_fd.h"
#include "volumeter/inventory.h"
#include "volumeter/result.h"
#include "workers/protocol.h"
#include "workers/spawn.h"

namespace volumeter {

// What /proc/<pid>/status says about whether a process waits in the kernel.
struct SleepState {
  bool asleep = false;         // state S or D: not running, not waiting for a CPU, not stopped
  std::uint64_t switches = 0;  // voluntary context switches: the same twice is one long sleep
};
std::optional<SleepState> read_sleep_state(pid_t pid);
std::optional<SleepState> parse_sleep_state(const std::string& status);

// As the worker's argv[2]; those of other profiles have commands of their own.
std::string_view to_string(WorkerProfile profile);

// How to start one: `exe worker <profile> <rootfs>`.
struct WorkerProgram {
  std::string exe = "/proc/self/exe";
  std::string rootfs = "/";
  WorkerProfile profile = WorkerProfile::kMetadata;
};

// Event-loop thread only. The destructor kills the process but doesn't wait for its end.
class WorkerProcess {
 public:
  using Clock = std::chrono::steady_clock;

  // With nothing open but its socket and its page, an empty environment and default signal
  // handling.
  static Result<std::unique_ptr<WorkerProcess>> spawn(const WorkerProgram& program);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // Queues one request (its lengths are filled in); flush() sends what is queued, as one message.
  // False when the socket is full or the process is gone.
  void queue(WorkerRequest request, const Target& target);
  bool flush();
  [[nodiscard]] std::size_t queued_bytes() const { return message_.size(); }
  // A message lies in the socket that the worker hasn't taken yet.
  [[nodiscard]] bool unread_requests() const;
  [[nodiscard]] bool ready() const;  // has started and dropped its rights
  // The next answer, if one has arrived. Kills a worker whose count can't be true.
  std::optional<WorkerReply> receive();
  // Asks it to end request `id` soon, if that is what it serves.
  void ask_to_stop(std::uint64_t id) { replies_->stop.store(id, std::memory_order_release); }
  // Of the request being served, as its function says.
  [[nodiscard]] std::uint64_t progress() const {
    return replies_->progress.load(std::memory_order_acquire);
  }
  void kill();
  // True once it has exited and been reaped.
  bool reap();

  [[nodiscard]] pid_t pid() const { return child_.pid; }
  [[nodiscard]] int pidfd() const { return child_.pidfd.get(); }

  // The pool's book-keeping: ids in the order they were sent; the first is being served.
  std::deque<std::uint64_t> sent;
  Clock::time_point head_since;
  std::optional<SleepState> last_look;
  bool stalled = false;  // asleep over the first request for longer than kStallNs
  bool killed = false;
  bool unwanted = false;  // killed because of what it serves, not for what it did
  const Clock::time_point spawned_at = Clock::now();
  Clock::time_point killed_at;

 private:
  WorkerProcess(Child child, UniqueFd socket, ReplyRing* replies);

  Child child_;
  UniqueFd socket_;
  ReplyRing* replies_;          // mapped
  std::uint64_t received_ = 0;  // answers read
  std::uint64_t messages_ = 0;  // sent
  std::vector<std::byte> message_;
  bool reaped_ = false;
};

}  // namespace volumeter
