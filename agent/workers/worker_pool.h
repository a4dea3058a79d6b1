// Runs jobs on volumes in worker processes, so that a volume that hangs holds up nobody else.
//
// One worker serves everything while all is well. When it sleeps in the kernel over one request
// for kStallNs, what has queued up behind goes to a fresh worker; at the deadline the request is
// reported as timed out and the worker killed. While a worker is stuck on a superblock (or can't
// be killed), nothing else is sent there: at most one process a superblock is ever lost.
//
// Event-loop thread only; nothing here blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/event_loop.h"
#include "volumeter/inventory.h"
#include "volumeter/measurer.h"
#include "workers/worker_process.h"

namespace volumeter {

struct WorkerOptions {
  WorkerProgram program;
  std::chrono::milliseconds deadline{2000};
};

struct WorkerJob {
  std::uint32_t function = 0;  // index into the list that the daemon and its workers know
  Target target;
  std::uint64_t argument = 0;
  bool block_device = false;  // the target is a device's node, not a directory
};

enum class JobOutcome {
  kAnswered,
  kTimedOut,  // it, or another job on the same superblock, slept past the deadline
  kFailed,    // the worker died, or none could be started
};

struct JobResult {
  JobOutcome outcome = JobOutcome::kFailed;
  SampleAnswer answer;
  std::chrono::nanoseconds duration{0};
};

class WorkerPool {
 public:
  using Callback = std::function<void(const JobResult&)>;
  using JobId = std::uint64_t;

  WorkerPool(EventLoop& loop, WorkerOptions options);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // `done` is called once, later, from the loop. Jobs run in order but for those of a superblock
  // in trouble, which wait for its outcome.
  JobId submit(WorkerJob job, Callback done);

  // Of a job that hasn't ended. Asleep in the kernel for longer than kStallNs, or held back because
  // another is, on the same superblock:
  [[nodiscard]] bool stalled(JobId id) const;
  // How far it is, as its function says; 0 before it is served.
  [[nodiscard]] std::uint64_t progress(JobId id) const;
  // Asks its function to end soon.
  void ask_to_stop(JobId id);
  // Kills the worker that serves it, so that nothing of ours is open there; it fails. What was
  // queued behind it goes to another.
  void cancel(JobId id);

  // Kills the worker that serves and those that stalled. Every job fails, and isn't tried again.
  void abort();
  // Ends an idle worker; the next job starts a fresh one.
  void rest();

  // Called when a worker that could not be killed has come back from this superblock: it answers
  // again. (One that dies at once when killed says nothing about the volume.)
  void on_released(std::function<void(DeviceNumber)> callback) { released_ = std::move(callback); }

  struct Counts {
    std::size_t ready = 0;  // serving or idle
    std::size_t stuck = 0;  // asleep over a volume, or killed and not gone yet
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct Job : WorkerJob {
    Callback done;
    bool retried = false;  // its worker died once
  };

  // Unless this has gone by then.
  void later(EventLoop::Duration delay, std::function<void()> callback);
  void poll_soon();
  void poll();
  void hand_out();
  void give_up();
  WorkerProcess* ready_worker();
  [[nodiscard]] std::vector<WorkerProcess*> busy_workers() const;
  [[nodiscard]] WorkerProcess* serving(JobId id) const;
  void receive(WorkerProcess& worker);
  void came_back(WorkerProcess& worker, DeviceNumber device);
  void check(WorkerProcess& worker, std::chrono::steady_clock::time_point now);
  void stall(WorkerProcess& worker);
  void time_out(WorkerProcess& worker);
  void exited(WorkerProcess& worker);
  void watch_death(WorkerProcess& worker, DeviceNumber device);
  void release(DeviceNumber device);
  void take_back(WorkerProcess& worker, std::size_t keep);
  void finish(JobId id, const JobResult& result);
  void retire_surplus();

  EventLoop& loop_;
  const WorkerOptions options_;
  std::function<void(DeviceNumber)> released_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  std::unordered_map<JobId, Job> jobs_;
  std::deque<JobId> pending_;
  // Superblocks with a stalled or stuck worker.
  struct Trouble {
    std::vector<JobId> waiting;  // for what becomes of the stalled one
    bool timed_out = false;      // until the worker is gone, nothing more is tried
  };
  std::map<DeviceNumber, Trouble> troubled_;
  std::map<const WorkerProcess*, DeviceNumber> stuck_on_;
  JobId next_id_ = 1;
  bool polling_ = false;
  EventLoop::Duration pause_{};
  std::chrono::steady_clock::time_point last_look_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace volumeter
