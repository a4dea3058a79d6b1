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
// Answers are fetched by the clock, not one by one as they come: a wake-up costs more than statfs.
constexpr auto kSoonest = 2ms;
constexpr auto kLook = 50ms;

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

// A worker that came back after a fresh one took its place: one is enough.
void WorkerPool::retire_surplus() {
  bool have_one = false;
  for (const auto& worker : workers_) {
    if (worker->stalled || worker->killed) continue;
    if (have_one && worker->sent.empty()) worker->kill();
    have_one = true;
  }
}

void WorkerPool::take_back(WorkerProcess& worker, std::size_t keep) {
  while (worker.sent.size() > keep) {
    pending_.push_front(worker.sent.back());
    worker.sent.pop_back();
  }
}

void WorkerPool::finish(JobId id, const JobResult& result) {
  auto node = jobs_.extract(id);
  if (!node.empty()) node.mapped().done(result);
}

}  // namespace volumeter
