#include "workers/worker_pool.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <utility>

#include "volumeter/log.h"

namespace volumeter {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// Requests a worker holds at once: enough to save both sides from waking up for each, few enough
// to take back when it stalls.
constexpr std::size_t kWindow = 250;
static_assert(kWindow < kReplySlots);
constexpr std::size_t kMessage = 64 << 10;  // bytes; well below any socket's buffer
static_assert(kMessage + request_size(2 * std::size_t{PATH_MAX}) <= kMaxRequestMessage);
constexpr auto kStall = std::chrono::nanoseconds(kStallNs);
// Answers are fetched by the clock, not one by one as they come: a wake-up costs more than statfs.
constexpr auto kSoonest = 2ms;
constexpr auto kLook = 50ms;
constexpr auto kStart = 10s;
constexpr auto kUnkillable = 200ms;  // a process that outlives SIGKILL by this is in state D

WorkerRequest to_request(std::uint64_t id, const WorkerJob& job) {
  WorkerRequest request;
  request.id = id;
  request.argument = job.argument;
  request.function = job.function;
  if (job.block_device) {
    request.check = VisibilityCheck::kBlockDevice;
  } else if (job.target.fstype == "btrfs") {
    request.check = VisibilityCheck::kMountRoot;
  }
  request.device = job.target.device;
  return request;
}

JobResult answered(const WorkerReply& reply) {
  return {JobOutcome::kAnswered, reply.answer, std::chrono::nanoseconds(reply.duration_ns)};
}

}  // namespace

WorkerPool::WorkerPool(EventLoop& loop, WorkerOptions options)
    : loop_(loop), options_(std::move(options)) {}

void WorkerPool::later(EventLoop::Duration delay, std::function<void()> callback) {
  loop_.after(delay, [alive = std::weak_ptr(alive_), callback = std::move(callback)] {
    if (!alive.expired()) callback();
  });
}

WorkerPool::~WorkerPool() {
  for (const auto& worker : workers_) {
    loop_.unwatch(worker->pidfd());
    worker->kill();
  }
  // They die within microseconds. One that the kernel can't kill yet is left to init.
  for (int i = 0; i < 200; ++i) {
    bool gone = true;
    for (const auto& worker : workers_) gone = worker->reap() && gone;
    if (gone) break;
    ::usleep(1000);
  }
}

WorkerPool::JobId WorkerPool::submit(WorkerJob job, Callback done) {
  const JobId id = next_id_++;
  jobs_[id] = {std::move(job), std::move(done), false};
  pending_.push_back(id);
  poll_soon();
  return id;
}

WorkerProcess* WorkerPool::serving(JobId id) const {
  for (const auto& worker : workers_) {
    if (!worker->sent.empty() && worker->sent.front() == id) return worker.get();
  }
  return nullptr;
}

bool WorkerPool::stalled(JobId id) const {
  const WorkerProcess* worker = serving(id);
  if (worker != nullptr) return worker->stalled;
  return std::any_of(troubled_.begin(), troubled_.end(), [&](const auto& trouble) {
    const auto& waiting = trouble.second.waiting;
    return std::find(waiting.begin(), waiting.end(), id) != waiting.end();
  });
}

std::uint64_t WorkerPool::progress(JobId id) const {
  const WorkerProcess* worker = serving(id);
  return worker == nullptr ? 0 : worker->progress();
}

void WorkerPool::ask_to_stop(JobId id) {
  if (WorkerProcess* worker = serving(id)) worker->ask_to_stop(id);
}

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

void WorkerPool::rest() {
  for (const auto& worker : workers_) {
    if (worker->sent.empty() && !worker->killed) worker->kill();
  }
}

WorkerPool::Counts WorkerPool::counts() const {
  Counts counts;
  counts.stuck = stuck_on_.size();
  for (const auto& worker : workers_) {
    if (!worker->stalled && !worker->killed) ++counts.ready;
  }
  return counts;
}

// One at a time; null when none can be started.
WorkerProcess* WorkerPool::ready_worker() {
  for (const auto& worker : workers_) {
    if (!worker->stalled && !worker->killed) return worker.get();
  }
  auto spawned = WorkerProcess::spawn(options_.program);
  if (!spawned) {
    log(LogLevel::kError, "cannot start a worker", {{"error", spawned.error().message}});
    return nullptr;
  }
  workers_.push_back(std::move(spawned).value());
  WorkerProcess* worker = workers_.back().get();
  loop_.watch(worker->pidfd(), [this, worker] { exited(*worker); });
  return worker;
}

void WorkerPool::poll_soon() {
  if (std::exchange(polling_, true)) return;
  pause_ = kSoonest;
  later(0ms, [this] { poll(); });
}

// Fetches answers, hands out what is pending, and looks after those that take long; again and
// again, less often while nothing happens, until there is no job left.
void WorkerPool::poll() {
  const std::size_t before = jobs_.size();
  for (WorkerProcess* worker : busy_workers()) receive(*worker);
  const auto now = steady_clock::now();
  if (now - last_look_ >= kLook) {
    last_look_ = now;
    for (WorkerProcess* worker : busy_workers()) check(*worker, now);
  }
  hand_out();
  pause_ = jobs_.size() < before ? kSoonest : std::min<EventLoop::Duration>(pause_ * 2, kLook);
  polling_ = !jobs_.empty();
  if (polling_) later(pause_, [this] { poll(); });
}

std::vector<WorkerProcess*> WorkerPool::busy_workers() const {
  std::vector<WorkerProcess*> busy;
  for (const auto& worker : workers_) {
    if (!worker->sent.empty() && !worker->killed) busy.push_back(worker.get());
  }
  return busy;
}

void WorkerPool::hand_out() {
  WorkerProcess* worker = nullptr;
  for (std::size_t left = pending_.size(); left > 0; --left) {
    const JobId id = pending_.front();
    const Job& job = jobs_[id];
    if (const auto trouble = troubled_.find(job.target.device); trouble != troubled_.end()) {
      pending_.pop_front();
      if (trouble->second.timed_out) {
        finish(id, {JobOutcome::kTimedOut, {}, options_.deadline});
      } else {
        trouble->second.waiting.push_back(id);
      }
      continue;
    }
    if (worker == nullptr) worker = ready_worker();
    if (worker == nullptr) return give_up();
    if (worker->unread_requests()) break;  // one message at a time
    if (worker->sent.size() >= kWindow || worker->queued_bytes() > kMessage) break;
    if (worker->sent.empty()) worker->head_since = steady_clock::now();
    worker->queue(to_request(id, job), job.target);
    worker->sent.push_back(id);
    pending_.pop_front();
  }
  // One message of at most kMessage and a path: the socket takes it, or the worker is gone and its
  // end gives the requests back.
  if (worker != nullptr && !worker->flush()) worker->kill();
}

// No worker could be had for what is left; the caller's next round tries again.
void WorkerPool::give_up() {
  for (const JobId id : std::exchange(pending_, {})) finish(id, {});
}

void WorkerPool::receive(WorkerProcess& worker) {
  bool any = false;
  while (const auto reply = worker.receive()) {
    const auto it = std::find(worker.sent.begin(), worker.sent.end(), reply->id);
    if (it == worker.sent.end()) continue;  // taken back in the meantime
    worker.sent.erase(it);
    worker.head_since = steady_clock::now();
    worker.last_look.reset();
    any = true;
    if (worker.stalled && !worker.killed) came_back(worker, jobs_[reply->id].target.device);
    if (reply->answer.error == kCancelled) {
      pending_.push_front(reply->id);
    } else {
      finish(reply->id, answered(*reply));
    }
  }
  if (any) retire_surplus();
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

// A worker that came back after a fresh one took its place: one is enough.
void WorkerPool::retire_surplus() {
  bool have_one = false;
  for (const auto& worker : workers_) {
    if (worker->stalled || worker->killed) continue;
    if (have_one && worker->sent.empty()) worker->kill();
    have_one = true;
  }
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

void WorkerPool::take_back(WorkerProcess& worker, std::size_t keep) {
  while (worker.sent.size() > keep) {
    pending_.push_front(worker.sent.back());
    worker.sent.pop_back();
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

void WorkerPool::finish(JobId id, const JobResult& result) {
  auto node = jobs_.extract(id);
  if (!node.empty()) node.mapped().done(result);
}

}  // namespace volumeter
