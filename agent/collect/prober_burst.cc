// Prober's bursts.
#include <utility>

#include "collect/prober.h"
#include "collect/problems.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

constexpr auto kBeforeBurst = 500ms;  // for a look at how busy the device is
constexpr auto kBurstLook = 20ms;
constexpr auto kLongestWait = 3s;  // for its turn

}  // namespace

// After a good pulse, when it is time.
void Prober::consider_burst(const EntryPtr& entry) {
  if (!entry->plan.burst || !entry->subject || Clock::now() < entry->burst_due) return;
  entry->burst_due = Clock::now() + options_.burst_interval;
  const Snapshot* snapshot = snapshot_of(*entry);
  if (snapshot == nullptr) {
    ++entry->record.skipped["burst_unknown_usage"];
    return;
  }
  const std::string obstacle = burst_obstacle(*snapshot, *entry->subject, entry->plan);
  if (!obstacle.empty()) {
    ++entry->record.skipped["burst_" + obstacle];
    return;
  }
  const auto& activity = snapshot->activity[*entry->subject];
  BurstWatch::Subject subject{inventory_, *entry->subject, entry->plan.device,
                              activity ? activity->sync_p99 : std::nullopt};
  entry->watch = std::make_unique<BurstWatch>(options_.procfs, live_, std::move(subject));
  entry->began = Clock::now();
  loop_.after(kBeforeBurst, [this, entry] { burst(entry); });
}

void Prober::burst(const EntryPtr& entry) {
  if (entry->watch == nullptr) return;  // its volume is another now
  const Snapshot* snapshot = snapshot_of(*entry);
  const bool may = entry->plan.wanted && entry->plan.burst && entry->plan.obstacle.empty();
  std::string obstacle;
  if (snapshot == nullptr || !may) {
    obstacle = "unknown_usage";
  } else if (running_ && Clock::now() - entry->began < kLongestWait) {
    loop_.after(kBurstLook, [this, entry] { burst(entry); });
    return;
  } else if (running_) {
    obstacle = "budget";
  } else {
    obstacle = burst_obstacle(*snapshot, *entry->subject, entry->plan);
  }
  if (obstacle.empty() && !entry->watch->device_is_idle()) obstacle = "busy";
  if (!obstacle.empty()) {
    ++entry->record.skipped["burst_" + obstacle];
    entry->watch.reset();
    return;
  }
  entry->watch->begin();
  submit(entry, kBurst);
  follow_burst(entry, *entry->job);
}

void Prober::follow_burst(const EntryPtr& entry, WorkerPool::JobId job) {
  if (entry->job != job || entry->watch == nullptr) return;
  if (entry->watch->disturbs(pool_.progress(job))) pool_.ask_to_stop(job);
  loop_.after(kBurstLook, [this, entry, job] { follow_burst(entry, job); });
}

void Prober::burst_ended(const EntryPtr& entry, const JobResult& result) {
  entry->watch.reset();
  if (result.outcome == JobOutcome::kTimedOut) return;  // it is still outstanding, in the kernel
  entry->record.outstanding_since.reset();
  if (entry->cancelled) return;
  if (result.outcome != JobOutcome::kAnswered) {
    ++entry->record.skipped["burst_failed"];
    return;
  }
  const auto answer = result.answer.load<BurstAnswer>();
  if (result.answer.error != 0) {
    const std::string reason = reason_not_to_probe(result.answer.error);
    ++entry->record.skipped["burst_" + (reason.empty() ? "failed" : reason)];
  } else if (answer.flaw != ProbeFlaw::kNone) {
    ++entry->record.skipped["burst_" + std::string(volumeter::to_string(answer.flaw))];
  } else {
    entry->record.burst = {answer, std::chrono::system_clock::now()};
  }
}

}  // namespace volumeter
