#include "collect/walker.h"

#include <algorithm>
#include <utility>

#include "collect/problems.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
using std::chrono::duration;

// What a job costs on both sides beside what the worker reports.
constexpr double kJobSeconds = 100e-6;
// An idle worker is ended after as long: it takes 3 MiB and starts in 5 ms.
constexpr auto kRestAfter = 5s;
constexpr auto kSaveAfter = 10s;

double seconds(std::chrono::steady_clock::duration d) { return duration<double>(d).count(); }

EventLoop::Duration to_duration(double s) {
  return std::chrono::duration_cast<EventLoop::Duration>(duration<double>(std::min(s, 1e6)));
}

TreeUse to_use(const WalkSlice& slice) {
  TreeUse use;
  use.method = UsageMethod::kWalk;
  use.bytes = slice.bytes;
  use.entries = slice.entries;
  use.inode = slice.inode;
  use.inodes = slice.inodes;
  use.estimated = (slice.flags & WalkSlice::kEstimated) != 0;
  if ((slice.flags & WalkSlice::kHasWrites) != 0) {
    using std::chrono::nanoseconds;
    // A file's time can be any number, even one that no clock here can hold.
    const std::int64_t most =
        std::chrono::duration_cast<std::chrono::seconds>(WallTime::duration::max()).count() - 1;
    const auto whole = std::chrono::seconds(std::clamp(slice.last_write_seconds, -most, most));
    use.last_write = WallTime(
        std::chrono::duration_cast<WallTime::duration>(whole + nanoseconds(slice.last_write_ns)));
  }
  return use;
}

}  // namespace

Walker::Walker(EventLoop& loop, WalkerOptions options, std::function<void()> changed)
    : loop_(loop),
      options_(std::move(options)),
      changed_(std::move(changed)),
      store_(options_.state_dir),
      inventory_(std::make_shared<const Inventory>()),
      credit_seconds_(seconds(options_.interval) * options_.share),
      credited_at_(Clock::now()),
      step_timer_(loop, [this] { step(); }),
      pool_(loop, options_.workers) {
  for (StoredWalk& walk : store_.load()) {
    TargetKey key = key_of(walk.target);
    restored_[std::move(key)] = std::move(walk);
  }
  // A filesystem answers again after all.
  pool_.on_released([this](DeviceNumber device) {
    for (const EntryPtr& entry : current_) {
      if (entry->target.device == device && entry->wanted) entry->due = Clock::now();
    }
    wake();
  });
}

Walker::~Walker() {
  if (save_due_) save();
}

void Walker::set_inventory(std::shared_ptr<const Inventory> inventory,
                           std::function<bool(std::size_t)> reachable) {
  inventory_ = std::move(inventory);
  reachable_ = std::move(reachable);
  for (auto& [key, entry] : entries_) entry->index.reset();
  std::map<TargetKey, EntryPtr> here;
  current_.clear();
  for (std::size_t i = 0; i < inventory_->targets.size(); ++i) {
    const Target& target = inventory_->targets[i];
    TargetKey key = key_of(target);
    EntryPtr& entry = here[key];
    const auto known = entries_.find(key);
    entry = known != entries_.end() ? known->second : std::make_shared<Entry>();
    const bool fresh = known == entries_.end();
    entry->target = target;
    entry->index = i;
    entry->wanted = options_.enabled && !target.hold && (target.walk || may_be_ceph(target.fstype));
    if (fresh && entry->wanted) restore(*entry);
    if (!entry->wanted) forget_trouble(*entry);
    if (!entry->wanted && !target.hold) entry->use = {};  // nobody will renew it
    current_.push_back(entry);
  }
  entries_ = std::move(here);
  // What left, or is about to be unmounted, must not be held up.
  if (busy_ && (!busy_->index || !busy_->wanted)) pool_.abort();
  std::erase_if(active_, [&](const EntryPtr& entry) {
    return entry != busy_ && (!entry->index || !entry->wanted);
  });
  wake();
}

// No walk will come that could end it.
void Walker::forget_trouble(Entry& entry) {
  entry.state.responsive.reset();
  entry.state.problem.clear();
  entry.failing_since.reset();
  entry.timeouts = 0;
}

void Walker::restore(Entry& entry) {
  const auto it = restored_.find(key_of(entry.target));
  if (it == restored_.end()) return;
  entry.use = it->second.use;
  const auto age = std::chrono::system_clock::now() - entry.use.measured_at;
  entry.due = Clock::now() +
              std::clamp<EventLoop::Duration>(options_.interval - age, 0ms, options_.interval);
  restored_.erase(it);
}

std::vector<TreeUse> Walker::uses() {
  const auto now = Clock::now();
  std::vector<TreeUse> uses;
  uses.reserve(current_.size());
  for (const EntryPtr& entry : current_) {
    // Values live as long as walks go on; one that fails, or isn't even tried because statfs fails
    // or an unmount is due, keeps them for a while.
    const bool lost = !entry->wanted || !reachable_(*entry->index);
    if (!lost) entry->unreachable_since.reset();
    if (lost && !entry->unreachable_since) entry->unreachable_since = now;
    for (const auto& since : {entry->failing_since, entry->unreachable_since}) {
      if (since && now - *since > options_.stale_after) entry->use = {};
    }
    uses.push_back(entry->use);
  }
  return uses;
}

std::vector<const TargetState*> Walker::states() const {
  std::vector<const TargetState*> states;
  states.reserve(current_.size());
  for (const EntryPtr& entry : current_) states.push_back(&entry->state);
  return states;
}

bool Walker::idle() const { return active_.empty() && !most_overdue(); }

void Walker::wake() { step_timer_.in(0ms); }

void Walker::refill() {
  const auto now = Clock::now();
  const double most = seconds(options_.interval) * options_.share;
  credit_seconds_ = std::min(most, credit_seconds_ + seconds(now - credited_at_) * options_.share);
  credited_at_ = now;
}

void Walker::step() {
  if (busy_) return;
  refill();
  if (credit_seconds_ < 0)
    return step_timer_.in(to_duration(-credit_seconds_ / options_.share) + 1ms);
  if (const EntryPtr entry = next()) return run(entry);
  rest();
}

// Until something is due. The worker goes when that takes a while.
void Walker::rest() {
  const auto now = Clock::now();
  auto soonest = Clock::time_point::max();
  for (const EntryPtr& entry : current_) {
    if (entry->wanted && entry->due > now) soonest = std::min(soonest, entry->due);
  }
  if (soonest != Clock::time_point::max()) step_timer_.in(soonest - now);
  if (soonest - now > kRestAfter) pool_.rest();
}

Walker::EntryPtr Walker::most_overdue() const {
  const auto now = Clock::now();
  EntryPtr found;
  for (const EntryPtr& entry : current_) {
    if (!entry->wanted || entry->due > now || (found && found->due <= entry->due)) continue;
    if (std::find(active_.begin(), active_.end(), entry) != active_.end()) continue;
    if (reachable_(*entry->index)) found = entry;
  }
  return found;
}

// A free slot goes to whoever waits; else the turns go round.
Walker::EntryPtr Walker::next() {
  if (active_.size() < kWalkSlots) {
    if (EntryPtr entry = most_overdue()) {
      std::uint8_t slot = 0;
      while (std::any_of(active_.begin(), active_.end(),
                         [&](const EntryPtr& other) { return other->ticket.slot == slot; })) {
        ++slot;
      }
      begin(*entry, slot);
      active_.push_back(entry);
      return entry;
    }
  }
  if (active_.empty()) return nullptr;
  std::rotate(active_.begin(), active_.begin() + 1, active_.end());
  return active_.back();
}

void Walker::begin(Entry& entry, std::uint8_t slot) {
  entry.ticket = {next_number_++, slot, true, entry.shared_project};
  entry.began = Clock::now();
  entry.began_at = std::chrono::system_clock::now();
  entry.places.clear();
  entry.looks.clear();
  if (may_be_ceph(entry.target.fstype)) entry.places = {entry.target};
}

void Walker::run(const EntryPtr& entry) {
  busy_ = entry;
  WorkerJob job;
  if (entry->looks.size() < entry->places.size()) {
    job = {kQuotaLook, entry->places[entry->looks.size()], 0};
  } else {
    job = {kWalkSlice, entry->target, entry->ticket.packed()};
  }
  pool_.submit(std::move(job), [this, entry](const JobResult& result) { finished(entry, result); });
}

void Walker::finished(const EntryPtr& entry, const JobResult& result) {
  busy_.reset();
  credit_seconds_ -= kJobSeconds;
  step_timer_.in(0ms);
  if (!entry->index || !entry->wanted) return end(entry);
  if (result.outcome == JobOutcome::kTimedOut) {
    entry->state.responsive = false;
    ++entry->timeouts;
    return fail(entry, "timeout", "listing it hangs in the kernel");
  }
  if (result.outcome == JobOutcome::kFailed) {
    return fail(entry, "worker", "the worker process died or could not be started");
  }
  entry->state.responsive.reset();
  const bool looking = entry->looks.size() < entry->places.size();
  if (result.answer.error != 0 && looking && entry->target.walk) {
    return walk_anyway(*entry);  // what is around it can't be seen
  }
  if (leads_through_link(entry->target, result.answer.error)) {
    entry->use = {};
    forget_trouble(*entry);
    return end(entry);
  }
  if (result.answer.error != 0) {
    return fail(entry, reason_of(result.answer.error), problem_of(result.answer.error));
  }
  if (looking) {
    looked(entry, result.answer.load<QuotaLook>());
  } else {
    took_slice(entry, result.answer.load<WalkSlice>());
  }
}

void Walker::took_slice(const EntryPtr& entry, const WalkSlice& slice) {
  const double cpu = static_cast<double>(slice.cpu_ns) * 1e-9;
  credit_seconds_ -= cpu;
  cpu_seconds_ += cpu;
  entry->ticket.begin = false;
  if ((slice.flags & WalkSlice::kLost) != 0) {  // its worker was replaced
    entry->ticket.begin = true;
    return;
  }
  if ((slice.flags & WalkSlice::kProject) != 0) {
    entry->places = quota_places(*inventory_, entry->target);
    if (entry->places.empty()) walk_anyway(*entry);
    return;
  }
  if ((slice.flags & WalkSlice::kDone) == 0) {
    entry->use.walking = {slice.bytes, slice.entries, entry->began_at};
    return;
  }
  TreeUse use = to_use(slice);
  use.took = Clock::now() - entry->began;
  complete(entry, use);
  if (slice.errors == 0) return;
  ++entry->state.errors["unreadable"];
  entry->state.problem = std::to_string(slice.errors) +
                         " entries could not be looked at: what is used is a lower bound";
}

void Walker::looked(const EntryPtr& entry, const QuotaLook& look) {
  entry->looks.push_back(look);
  if (entry->looks.size() == entry->places.size()) decide(entry);
}

void Walker::decide(const EntryPtr& entry) {
  auto use = may_be_ceph(entry->target.fstype) ? use_by_ceph(entry->looks.front())
                                               : use_by_quota(entry->looks);
  if (use && has_project_to_itself(*entry, *use)) return complete(entry, *use);
  if (!entry->target.walk) {  // a share that nobody asked to walk
    entry->use = {};
    return end(entry);
  }
  walk_anyway(*entry);
}

// Two directories of one project: its sum is neither's.
bool Walker::has_project_to_itself(Entry& entry, const TreeUse& use) {
  if (use.project == 0) return true;
  bool alone = true;
  for (const EntryPtr& other : current_) {
    if (other.get() == &entry || other->target.device != entry.target.device) continue;
    if (other->use.project != use.project || other->target.root == entry.target.root) continue;
    alone = false;
    entry.shared_project = true;  // from now on both are walked
    other->use = {};
    other->shared_project = true;
    other->due = Clock::now();
  }
  return alone;
}

void Walker::walk_anyway(Entry& entry) {
  entry.places.clear();
  entry.looks.clear();
  entry.ticket.begin = true;
  entry.ticket.whatever_project = true;
}

void Walker::complete(const EntryPtr& entry, TreeUse use) {
  use.measured_at = entry->began_at;
  entry->use = use;
  entry->state.problem.clear();
  entry->failing_since.reset();
  entry->timeouts = 0;
  entry->due = entry->began + options_.interval;
  end(entry);
  if (entry->use.method == UsageMethod::kWalk) save_soon();
  changed_();
}

void Walker::fail(const EntryPtr& entry, const std::string& reason, const std::string& problem) {
  ++entry->state.errors[reason];
  entry->state.problem = problem;
  if (!entry->failing_since) entry->failing_since = Clock::now();
  // One that hangs costs the others their worker, with what it knew of their walks.
  const int doubled = std::clamp(entry->timeouts - 1, 0, 6);
  entry->due = Clock::now() + options_.interval * (1 << doubled);
  end(entry);
  changed_();
}

void Walker::end(const EntryPtr& entry) {
  entry->use.walking.reset();
  if (entry->due <= Clock::now()) entry->due = entry->began + options_.interval;
  std::erase(active_, entry);
}

void Walker::save_soon() {
  if (options_.state_dir.empty() || std::exchange(save_due_, true)) return;
  loop_.after(kSaveAfter, [this] { save(); });
}

void Walker::save() {
  save_due_ = false;
  std::vector<StoredWalk> walks;
  for (const auto& [key, entry] : entries_) {
    if (entry->use.method == UsageMethod::kWalk) walks.push_back({entry->target, entry->use});
  }
  store_.save(walks);
}

}  // namespace volumeter
