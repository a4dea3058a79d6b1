// Prober's bursts.
#include <utility>

#include "collect/prober.h"
#include "collect/problems.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

constexpr auto kBeforeBurst = 500ms;  // for a look at how busy the device is
constexpr auto kBurstLook = 20ms;

}  // namespace

// After a good pulse, when it is time.
void Prober::consider_burst(const EntryPtr& entry) {
  if (!entry->plan.burst || !entry->subject || Clock::now() < entry->burst_due) return;
  entry->burst_due = Clock::now() + options_.burst_interval;
  const Snapshot* snapshot = snapshot_of(*entry);
  const std::string obstacle = snapshot == nullptr
                                   ? "unknown_usage"
                                   : burst_obstacle(*snapshot, *entry->subject, entry->plan);
  if (!obstacle.empty()) {
    ++entry->record.skipped["burst_" + obstacle];
    return;
  }
  const auto& activity = snapshot->activity[*entry->subject];
  BurstWatch::Subject subject{inventory_, *entry->subject, entry->plan.device,
                              activity ? activity->sync_p99 : std::nullopt};
  entry->watch = std::make_unique<BurstWatch>(options_.procfs, live_, std::move(subject));
  loop_.after(kBeforeBurst, [this, entry] { burst(entry); });
}

void Prober::burst(const EntryPtr& entry) {
  if (!entry->plan.wanted || !entry->plan.burst || !entry->plan.obstacle.empty()) {
    entry->watch.reset();
    return;
  }
  if (running_) {  // its turn comes
    loop_.after(kBurstLook, [this, entry] { burst(entry); });
    return;
  }
  if (!entry->watch->device_is_idle()) {
    ++entry->record.skipped["burst_busy"];
    entry->watch.reset();
    return;
  }
  entry->watch->begin();
  submit(entry, kBurst);
  follow_burst(entry, *entry->job);
}

void Prober::follow_burst(const EntryPtr& entry, WorkerPool::JobId job) {
  if (entry->job != job) return;
  if (entry->watch->disturbs(pool_.progress(job))) pool_.ask_to_stop(job);
  loop_.after(kBurstLook, [this, entry, job] { follow_burst(entry, job); });
}

void Prober::burst_ended(const EntryPtr& entry, const JobResult& result) {
  entry->watch.reset();
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
