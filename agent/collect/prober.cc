#include "collect/prober.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "collect/problems.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

// Looks at a probe that takes long, as often.
constexpr auto kLook = 100ms;
// A worker that hasn't anything to do for as long is ended.
constexpr auto kRestAfter = 15s;
constexpr auto kRemind = 5s;
constexpr auto kShortestPause = 1s;
constexpr auto kLongestPause = 5min;
// Each that hangs keeps a worker of some 2 MiB.
constexpr std::size_t kMostStuck = 16;
// The application's own syncs in the last interval, from which on a pulse tells nothing new.
constexpr std::uint64_t kEnoughSyncs = 5;

std::string_view to_string(ProbeWay way) {
  switch (way) {
    case ProbeWay::kUnnamedFile:
      return "unnamed-file";
    case ProbeWay::kNamedFile:
      return "named-file";
    case ProbeWay::kDevice:
      return "device-reads";
  }
  return "unknown";
}

std::string joined(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) text += (text.empty() ? "" : "/") + label;
  return text;
}

// What the last probe said is no news of now.
void forget_outcome(ProbeRecord& record) {
  record.success.reset();
  record.write_responsive.reset();
  record.outstanding_since.reset();
}

}  // namespace

Prober::Prober(EventLoop& loop, std::vector<LiveMeasurer*> live, ProberOptions options,
               std::function<void()> changed)
    : loop_(loop),
      live_(std::move(live)),
      options_(std::move(options)),
      changed_(std::move(changed)),
      inventory_(std::make_shared<const Inventory>()),
      step_timer_(loop, [this] { step(); }),
      pool_(loop, options_.workers) {}

void Prober::set_inventory(std::shared_ptr<const Inventory> inventory,
                           std::function<bool(std::size_t)> hangs) {
  inventory_ = std::move(inventory);
  hangs_ = std::move(hangs);
  auto before = std::exchange(entries_, {});
  for (std::size_t i = 0; i < inventory_->subjects.size(); ++i) {
    const Subject& subject = inventory_->subjects[i];
    ProbePlan plan = plan_probe(*inventory_, subject, options_.mode, options_.interval);
    auto known = before.extract(*subject.labels);
    if (!plan.wanted && known.empty()) continue;
    EntryPtr entry = known.empty() ? std::make_shared<Entry>() : known.mapped();
    if (entry->name.empty()) entry->name = joined(*subject.labels);
    entry->subject = i;
    follow(entry, plan);
    if (plan.wanted) entries_[*subject.labels] = entry;
  }
  for (auto& [labels, entry] : before) {
    entry->subject.reset();
    follow(entry, {});
  }
  std::erase_if(waiting_, [](const EntryPtr& entry) { return !entry->plan.wanted; });
  step_timer_.in(0ms);
}

// What may not be touched any more must not be held up either.
void Prober::follow(const EntryPtr& entry, ProbePlan plan) {
  const ProbePlan before = std::exchange(entry->plan, std::move(plan));
  announce(*entry, before);
  const bool fresh = entry->plan.wanted && !before.wanted;
  if (fresh || (entry->plan.wanted && entry->plan.interval != before.interval)) {
    entry->beat = Clock::now() + somewhere_in(entry->plan.interval) - entry->plan.interval;
    schedule(*entry);
  }
  if (fresh) entry->burst_due = Clock::now() + somewhere_in(options_.burst_interval);
  const bool elsewhere = key_of(entry->plan.target) != key_of(before.target);
  if (elsewhere || entry->plan.device != before.device) entry->watch.reset();
  if (entry->job && (!entry->plan.wanted || !entry->plan.obstacle.empty() || elsewhere)) {
    entry->cancelled = true;
    pool_.cancel(*entry->job);
    if (running_ == entry) running_.reset();
  }
}

void Prober::announce(const Entry& entry, const ProbePlan& before) const {
  const ProbePlan& plan = entry.plan;
  if (plan.wanted && (!before.wanted || plan.asked_by != before.asked_by ||
                      plan.way != before.way || plan.interval != before.interval)) {
    log(LogLevel::kInfo, "probing starts",
        {{"volume", entry.name},
         {"asked_by", plan.asked_by},
         {"way", std::string(to_string(plan.way))},
         {"interval", std::to_string(plan.interval.count()) + "ms"},
         {"burst", plan.burst ? "on" : "off"}});
  } else if (before.wanted && !plan.wanted) {
    log(LogLevel::kInfo, "probing stops",
        {{"volume", entry.name},
         {"asked_by", before.asked_by},
         {"because", entry.subject ? "nobody asks for it any more" : "the volume has left"}});
  }
}

// By the beat, a tenth of an interval to either side: nodes that started together part soon.
void Prober::schedule(Entry& entry) {
  // Beats that nobody was awake for are gone.
  const auto interval = std::chrono::duration_cast<Clock::duration>(entry.plan.interval);
  entry.beat += interval * std::max<std::int64_t>(1, (Clock::now() - entry.beat) / interval);
  entry.due = entry.beat - entry.plan.interval / 10 + somewhere_in(entry.plan.interval / 5);
}

Prober::Clock::duration Prober::somewhere_in(Clock::duration span) {
  return Clock::duration(std::uniform_int_distribution<std::int64_t>(0, span.count())(random_));
}

void Prober::step() {
  const auto now = Clock::now();
  auto soonest = Clock::time_point::max();
  bool any_job = false;
  for (auto& [labels, entry] : entries_) {
    if (entry->job) look_after(entry);
    if (entry->due <= now) {
      if (entry->watch != nullptr) {
        ++entry->record.skipped["burst"];
      } else if (entry->queued) {
        ++entry->record.skipped["budget"];
      } else if (entry->job) {
        ++entry->record.missed;
      } else {
        entry->queued = true;
        waiting_.push_back(entry);
      }
      schedule(*entry);
    }
    any_job = any_job || entry->job;
    soonest = std::min(soonest, entry->due);
  }
  next();
  any_job = any_job || running_ != nullptr;
  if (any_job) {
    step_timer_.in(kLook);
  } else if (soonest == Clock::time_point::max() || soonest - now > kRestAfter) {
    pool_.rest();
  }
  if (soonest != Clock::time_point::max())
    step_timer_.in(std::max<EventLoop::Duration>(soonest - now, 0ms));
}

// One that hangs makes room for the others; and after a while that is what it is called.
void Prober::look_after(const EntryPtr& entry) {
  if (!entry->job || !pool_.stalled(*entry->job)) return;
  if (running_ == entry) running_.reset();
  const auto now = Clock::now();
  if (now - entry->began < options_.late) return;
  entry->record.success = false;
  const bool reading = !entry->bursting &&
                       static_cast<PulseStage>(pool_.progress(*entry->job)) >= PulseStage::kReading;
  if (entry->plan.writes()) set_responsive(*entry, reading);
  if (now - reminded_ < kRemind) return;
  reminded_ = now;
  changed_();
}

void Prober::set_responsive(Entry& entry, bool responsive) {
  const auto before = std::exchange(entry.record.write_responsive, responsive);
  if (before == responsive) return;
  if (!responsive) {
    log(LogLevel::kWarn, "writes to a volume don't come back", {{"volume", entry.name}});
  } else if (before) {
    log(LogLevel::kInfo, "writes to a volume come back again", {{"volume", entry.name}});
  }
  changed_();
}

void Prober::next() {
  while (!running_ && !waiting_.empty()) {
    const EntryPtr entry = waiting_.front();
    waiting_.pop_front();
    entry->queued = false;
    if (!entry->plan.wanted || entry->job) continue;
    const std::string obstacle = pulse_obstacle(*entry);
    if (!obstacle.empty()) {
      ++entry->record.skipped[obstacle];
      forget_outcome(entry->record);
      // The workload's own come back.
      if (obstacle == "passive" && entry->plan.writes()) set_responsive(*entry, true);
      continue;
    }
    submit(entry, kPulse);
  }
}

const Snapshot* Prober::snapshot_of(const Entry& entry) const {
  return entry.subject && snapshot_ != nullptr && snapshot_->inventory == inventory_
             ? snapshot_.get()
             : nullptr;
}

std::string Prober::pulse_obstacle(const Entry& entry) const {
  if (!entry.plan.obstacle.empty()) return entry.plan.obstacle;
  if (Clock::now() < no_worker_before_) return "worker";
  if (pool_.counts().stuck >= kMostStuck) return "budget";
  if (entry.plan.index && hangs_(*entry.plan.index)) return "unresponsive";
  const Snapshot* snapshot = snapshot_of(entry);
  if (snapshot == nullptr) return {};
  const Subject& subject = inventory_->subjects[*entry.subject];
  const Reading& reading = snapshot->volumes[subject.volumes.front()];
  if (entry.plan.writes() && reading.read_only.value_or(false)) return "read_only";
  if (entry.plan.writes() && reading.usage &&
      reading.usage->available.value_or(kPulseLeastRoom) < kPulseLeastRoom) {
    return "full";
  }
  const auto& activity = snapshot->activity[*entry.subject];
  if (activity && activity->recent_syncs >= kEnoughSyncs) return "passive";
  return {};
}

void Prober::submit(const EntryPtr& entry, ProbeFunction function) {
  running_ = entry;
  entry->began = Clock::now();
  entry->cancelled = false;
  if (!entry->record.outstanding_since) entry->record.outstanding_since = entry->began;
  entry->bursting = function == kBurst;
  if (entry->plan.writes()) {
    audit(entry->bursting ? "a burst writes to a volume" : "a pulse writes to a volume",
          {{"volume", entry->name},
           {"asked_by", entry->plan.asked_by},
           {"way", std::string(to_string(entry->plan.way))},
           {"bytes_at_most", std::to_string(entry->bursting ? kBurstWrites : kPulseWrites)}});
  }
  WorkerJob job{function, entry->plan.target, static_cast<std::uint64_t>(entry->plan.way),
                entry->plan.way == ProbeWay::kDevice};
  entry->job = pool_.submit(std::move(job), [this, entry](const JobResult& result) {
    entry->job.reset();
    if (running_ == entry) running_.reset();
    entry->bursting ? burst_ended(entry, result) : pulsed(entry, result);
    step_timer_.in(0ms);
  });
  step_timer_.in(kLook);
}

void Prober::pulsed(const EntryPtr& entry, const JobResult& result) {
  ProbeRecord& record = entry->record;
  if (result.outcome == JobOutcome::kTimedOut) {  // still outstanding, in the kernel
    ++record.missed;
    record.success = false;
    if (entry->plan.writes()) set_responsive(*entry, false);
    return;
  }
  record.outstanding_since.reset();
  if (entry->cancelled) return;
  if (result.outcome == JobOutcome::kFailed) return no_worker(record);
  no_worker_pause_ = kShortestPause;
  const auto answer = result.answer.load<PulseAnswer>();
  if (result.answer.error != 0) return failed(*entry, result.answer.error, answer);
  if (entry->plan.writes()) set_responsive(*entry, true);
  record.success = answer.flaw != ProbeFlaw::kMismatch;
  take_figures(*entry, answer);
  consider_burst(entry);
}

// None could be started, or it died: the agent's trouble, not the volume's.
void Prober::no_worker(ProbeRecord& record) {
  ++record.skipped["worker"];
  forget_outcome(record);
  no_worker_before_ = Clock::now() + no_worker_pause_;
  no_worker_pause_ = std::min<Clock::duration>(2 * no_worker_pause_, kLongestPause);
}

void Prober::take_figures(Entry& entry, const PulseAnswer& answer) {
  const auto seconds = [](std::uint64_t ns) { return static_cast<double>(ns) * 1e-9; };
  ProbeRecord& record = entry.record;
  if (entry.plan.writes()) {  // a sum that leaves nothing out, whatever a flaw says of the rest
    record.wrote = true;
    record.first_write_seconds += seconds(answer.first_write_ns);
  }
  if (answer.flaw != ProbeFlaw::kNone) {
    ++record.skipped[std::string(to_string(answer.flaw))];
    return;
  }
  record.pulsed = true;
  record.reads.observe(seconds(answer.read_ns));
  if (entry.plan.writes()) record.writes.observe(seconds(answer.overwrite_ns));
}

void Prober::failed(Entry& entry, int error, const PulseAnswer& answer) {
  const std::string reason = reason_not_to_probe(error);
  if (!reason.empty()) {
    ++entry.record.skipped[reason];
    forget_outcome(entry.record);
    return;
  }
  // It came back, if only with an error.
  if (entry.plan.writes() && answer.stage != PulseStage::kOpening) set_responsive(entry, true);
  if (entry.record.success != false) {
    log(LogLevel::kWarn, "a probe failed", {{"volume", entry.name}, {"error", problem_of(error)}});
  }
  entry.record.success = false;
}

void Prober::report(Snapshot& out) {
  for (const auto& [labels, entry] : entries_) {
    if (!entry->subject || out.inventory != inventory_) continue;
    report_.add(entry->record, *entry->subject, out);
    if (entry->record.write_responsive != false) continue;
    for (const std::size_t i : inventory_->subjects[*entry->subject].volumes) {
      if (out.volumes[i].problem.empty()) out.volumes[i].problem = "writes don't come back";
    }
  }
}

}  // namespace volumeter
