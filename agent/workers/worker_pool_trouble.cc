// WorkerPool's workers that sleep, die, or are to let go.
#include <algorithm>
#include <optional>
#include <utility>

#include "volumeter/log.h"
#include "workers/worker_pool.h"

namespace volumeter {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kStall = std::chrono::nanoseconds(kStallNs);
constexpr auto kStart = 10s;
constexpr auto kUnkillable = 200ms;  // a process that outlives SIGKILL by this is in state D

}  // namespace

void WorkerPool::cancel(JobId id) {
  if (!jobs_.contains(id)) return;
  for (const auto& worker : workers_) {
    const auto it = std::find(worker->sent.begin(), worker->sent.end(), id);
    if (it == worker->sent.end()) continue;
    worker->sent.erase(it);
    take_back(*worker, 0);
    worker->unwanted = true;
    // Until it is gone nothing else is tried there.
    const DeviceNumber device = jobs_[id].target.device;
    stuck_on_[worker.get()] = device;
    troubled_[device];
    watch_death(*worker, device);
    worker->kill();
    break;
  }
  std::erase(pending_, id);
  for (auto& [device, trouble] : troubled_) std::erase(trouble.waiting, id);
  later(0ms, [this, id] { finish(id, {}); });
}

void WorkerPool::abort() {
  std::vector<JobId> ended(pending_.begin(), pending_.end());
  pending_.clear();
  for (auto& [device, trouble] : troubled_) {
    ended.insert(ended.end(), trouble.waiting.begin(), trouble.waiting.end());
    trouble.waiting.clear();
  }
  for (const auto& worker : workers_) {
    if (worker->killed) continue;
    ended.insert(ended.end(), worker->sent.begin(), worker->sent.end());
    if (!worker->sent.empty()) watch_death(*worker, jobs_[worker->sent.front()].target.device);
    worker->sent.clear();
    worker->unwanted = true;
    worker->kill();
  }
  later(0ms, [this, ended] {
    for (const JobId id : ended) finish(id, {});
  });
}

// One that doesn't die sleeps over its superblock: until it is gone, nothing more is tried there.
void WorkerPool::watch_death(WorkerProcess& worker, DeviceNumber device) {
  later(kUnkillable, [this, pid = worker.pid(), device] {
    const auto it = std::find_if(workers_.begin(), workers_.end(),
                                 [&](const auto& other) { return other->pid() == pid; });
    if (it == workers_.end()) return;
    stuck_on_[it->get()] = device;
    Trouble& trouble = troubled_[device];
    trouble.timed_out = true;
    for (const JobId id : std::exchange(trouble.waiting, {})) {
      finish(id, {JobOutcome::kTimedOut, {}, options_.deadline});
    }
  });
}

// A worker that answers after all. If a fresh one has taken its place, it isn't needed any more,
// and may still have old requests before it.
void WorkerPool::came_back(WorkerProcess& worker, DeviceNumber device) {
  const bool replaced = std::any_of(workers_.begin(), workers_.end(), [](const auto& other) {
    return !other->stalled && !other->killed;
  });
  worker.stalled = false;
  stuck_on_.erase(&worker);
  if (replaced) worker.kill();
  release(device);
}

// Hung means: asleep in the kernel. A worker that wants a CPU and gets none, or is stopped, has
// its time prolonged instead.
void WorkerPool::check(WorkerProcess& worker, steady_clock::time_point now) {
  if (!worker.ready()) {  // starting: a slow disk beneath the binary is no volume's fault
    worker.head_since = now;
    if (now - worker.spawned_at > kStart) worker.kill();
    return;
  }
  const auto elapsed = now - worker.head_since;
  if (elapsed < kStall) return;
  const auto look = read_sleep_state(worker.pid());
  const auto before = std::exchange(worker.last_look, look);
  const bool asleep = look && look->asleep && before && before->asleep;
  const bool slept_through = asleep && look->switches == before->switches;
  if (!worker.stalled) {
    if (slept_through) stall(worker);
    return;
  }
  if (elapsed < options_.deadline) return;
  if (asleep) {
    time_out(worker);
  } else {
    worker.head_since = now - kStall;
  }
}

void WorkerPool::stall(WorkerProcess& worker) {
  worker.stalled = true;
  const DeviceNumber device = jobs_[worker.sent.front()].target.device;
  stuck_on_[&worker] = device;
  troubled_[device];
  take_back(worker, 1);
}

void WorkerPool::time_out(WorkerProcess& worker) {
  worker.kill();  // stays in troubled_ until it is really gone
  const JobId head = worker.sent.front();
  worker.sent.clear();
  Trouble& trouble = troubled_[stuck_on_[&worker]];
  trouble.timed_out = true;
  const std::vector<JobId> same_fate = std::exchange(trouble.waiting, {});
  finish(head, {JobOutcome::kTimedOut, {}, options_.deadline});
  for (const JobId id : same_fate) finish(id, {JobOutcome::kTimedOut, {}, options_.deadline});
}

void WorkerPool::exited(WorkerProcess& worker) {
  if (!worker.reap()) return;
  loop_.unwatch(worker.pidfd());
  receive(worker);  // answers it gave before it died
  const bool started = worker.ready();
  take_back(worker, started ? 1 : 0);
  if (!worker.sent.empty()) {  // it died over this one: once may be bad luck
    const JobId id = worker.sent.front();
    worker.sent.clear();
    if (!worker.killed) log(LogLevel::kWarn, "a worker died", {{"path", jobs_[id].target.path}});
    if (std::exchange(jobs_[id].retried, true)) {
      finish(id, {});
    } else {
      pending_.push_front(id);
    }
  }
  const auto stuck = stuck_on_.find(&worker);
  const std::optional<DeviceNumber> device =
      stuck == stuck_on_.end() ? std::nullopt : std::optional(stuck->second);
  if (device) stuck_on_.erase(stuck);
  const bool unwanted = worker.unwanted;
  const bool resisted = worker.killed && steady_clock::now() - worker.killed_at > kUnkillable;
  std::erase_if(workers_, [&](const auto& owned) { return owned.get() == &worker; });
  if (!started && !unwanted) {  // the next one wouldn't either
    log(LogLevel::kError, "a worker could not start");
    give_up();
  }
  if (!device) return;
  release(*device);
  if (released_ && resisted) released_(*device);
}

void WorkerPool::release(DeviceNumber device) {
  const auto it = troubled_.find(device);
  const bool still = std::any_of(stuck_on_.begin(), stuck_on_.end(),
                                 [&](const auto& stuck) { return stuck.second == device; });
  if (it == troubled_.end() || still) return;
  for (const JobId id : it->second.waiting) pending_.push_back(id);
  troubled_.erase(it);
}

}  // namespace volumeter
