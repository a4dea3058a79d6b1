#include "collect/sampler.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "collect/problems.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

// A volume that hangs is tried again after one, two, four ... intervals, up to this.
constexpr auto kLongestBackoff = std::chrono::seconds(60);

}  // namespace

Sampler::Sampler(EventLoop& loop, const Measurers& measurers, SamplerOptions options,
                 std::function<void(bool)> changed)
    : options_(std::move(options)),
      changed_(std::move(changed)),
      inventory_(std::make_shared<const Inventory>()),
      rounds_(measurers.size()),
      pool_(loop, options_.workers) {
  for (const auto& measurer : measurers) {
    const bool on = !options_.disabled.contains(std::string(measurer->name()));
    measurers_.push_back(on ? dynamic_cast<const SampledMeasurer*>(measurer.get()) : nullptr);
  }
  pool_.on_released([this](DeviceNumber device) { try_again(device); });
  current_.resize(measurers_.size());
}

void Sampler::set_inventory(std::shared_ptr<const Inventory> inventory) {
  inventory_ = std::move(inventory);
  std::map<Key, std::shared_ptr<Entry>> here;
  for (std::size_t m = 0; m < measurers_.size(); ++m) {
    current_[m].clear();
    if (measurers_[m] == nullptr) continue;
    for (const Target& target : inventory_->targets) {
      Key key{m, key_of(target)};
      const auto known = entries_.find(key);
      auto entry = known != entries_.end() ? known->second : std::make_shared<Entry>();
      entry->device = target.device;
      current_[m].push_back(entry);
      here.emplace(std::move(key), std::move(entry));
    }
  }
  entries_ = std::move(here);
}

void Sampler::start_round() {
  const auto now = Clock::now();
  if (!std::exchange(in_round_, true)) round_started_ = now;
  submit_where([&](const Entry& entry) { return now >= entry.not_before; });
  if (outstanding_ == 0) round_ended();
}

void Sampler::sample_new() {
  submit_where([](const Entry& entry) { return !entry.sampled; });
}

void Sampler::submit_where(const std::function<bool(const Entry&)>& due) {
  for (std::size_t m = 0; m < measurers_.size(); ++m) {
    if (measurers_[m] == nullptr) continue;
    for (const std::size_t i : measurers_[m]->targets(*inventory_)) {
      const Entry& entry = *current_[m][i];
      if (!entry.under_way && !inventory_->targets[i].hold && due(entry)) submit(m, i);
    }
  }
}

// At most once an interval: a filesystem that comes and goes must not keep us busy.
void Sampler::try_again(DeviceNumber device) {
  const auto now = Clock::now();
  for (std::size_t m = 0; m < measurers_.size(); ++m) {
    for (std::size_t i = 0; i < current_[m].size(); ++i) {
      Entry& entry = *current_[m][i];
      if (entry.device != device || entry.under_way || inventory_->targets[i].hold) continue;
      if (now - entry.tried_again < options_.interval) continue;
      entry.tried_again = now;
      submit(m, i);
    }
  }
}

void Sampler::submit(std::size_t measurer, std::size_t target) {
  const std::shared_ptr<Entry>& entry = current_[measurer][target];
  entry->under_way = true;
  ++outstanding_;
  pool_.submit({static_cast<std::uint32_t>(measurer), inventory_->targets[target]},
               [this, entry, inventory = inventory_, target](const JobResult& result) {
                 finished(*entry, inventory->targets[target], result);
               });
}

void Sampler::finished(Entry& entry, const Target& target, const JobResult& result) {
  --outstanding_;
  const auto before = entry.state.responsive;
  entry.under_way = false;
  entry.sampled = true;
  entry.tried = Clock::now();
  record(entry, target, result);
  back_off(entry);
  const bool news = before != entry.state.responsive && (before || entry.state.responsive == false);
  if (news) {
    const bool back = entry.state.responsive == true;
    log(back ? LogLevel::kInfo : LogLevel::kWarn,
        back ? "a volume responds again" : "a volume does not respond", {{"path", target.path}});
  }
  if (outstanding_ > 0) return changed_(news);
  round_ended();
}

void Sampler::record(Entry& entry, const Target& target, const JobResult& result) {
  TargetState& state = entry.state;
  switch (result.outcome) {
    case JobOutcome::kTimedOut:
      state.responsive = false;
      state.problem = "no answer by the deadline: the kernel still waits for this filesystem";
      state.error = 0;
      ++state.errors["timeout"];
      ++entry.timeouts;
      return;
    case JobOutcome::kFailed:
      state.problem = "the worker process died or could not be started";
      state.error = 0;
      ++state.errors["worker"];
      return;
    case JobOutcome::kAnswered:
      break;
  }
  entry.timeouts = 0;
  state.responsive = true;
  const int error = result.answer.error;
  state.error = error;
  if (error == 0) {
    state.answer = result.answer;
    entry.inode = result.answer.inode;
    state.answered_at = std::chrono::system_clock::now();
    entry.answered = Clock::now();
    state.problem.clear();
    return;
  }
  if (leads_through_link(target, error)) {
    state.answer.reset();
    state.problem.clear();
    return;
  }
  ++state.errors[reason_of(error)];
  state.problem = problem_of(error);
  // Another filesystem stands there now: what was measured isn't this volume any more.
  if (error != kNotVisible) return;
  state.answer.reset();
  entry.inode = 0;
}

void Sampler::back_off(Entry& entry) const {
  if (entry.timeouts == 0) {
    entry.not_before = {};
    return;
  }
  using std::chrono::milliseconds;
  const milliseconds longest = std::max<milliseconds>(options_.interval, kLongestBackoff);
  const milliseconds pause = options_.interval * (1 << std::min(entry.timeouts - 1, 10));
  // A little less than whole intervals, so that the round it is due in finds it due.
  entry.not_before = Clock::now() + std::min(pause, longest) - options_.interval / 2;
}

void Sampler::round_ended() {
  if (!std::exchange(in_round_, false)) return changed_(true);
  const std::chrono::duration<double> took = Clock::now() - round_started_;
  for (std::size_t m = 0; m < rounds_.size(); ++m) {
    if (measurers_[m] == nullptr) continue;
    RoundResult& round = rounds_[m];
    round = {took.count(), true, 0};
    for (const auto& entry : current_[m]) {
      if (!entry->state.problem.empty()) ++round.failed;
    }
  }
  changed_(true);
}

std::vector<std::uint64_t> Sampler::inodes() const {
  std::vector<std::uint64_t> all(inventory_->targets.size());
  for (const auto& entries : current_) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i]->inode != 0) all[i] = entries[i]->inode;
    }
  }
  return all;
}

bool Sampler::hangs(std::size_t target) const {
  return std::any_of(current_.begin(), current_.end(), [&](const auto& entries) {
    return target < entries.size() && entries[target]->state.responsive == false;
  });
}

bool Sampler::reachable(std::size_t target) const {
  bool any = false;
  for (const auto& entries : current_) {
    if (target >= entries.size() || !entries[target]->sampled) continue;
    const TargetState& state = entries[target]->state;
    if (state.responsive != true || !state.problem.empty()) return false;
    any = true;
  }
  return any;
}

std::vector<const TargetState*> Sampler::states(std::size_t measurer) {
  const auto now = Clock::now();
  std::vector<const TargetState*> out;
  out.reserve(current_[measurer].size());
  for (const auto& entry : current_[measurer]) {
    if (entry->state.answer && now - entry->answered > options_.stale_after) {
      entry->state.answer.reset();
    }
    // One that is left alone (its pod is being deleted) may have changed its mind since.
    if (entry->sampled && !entry->under_way && now - entry->tried > options_.stale_after) {
      entry->state.responsive.reset();
      entry->state.problem.clear();
    }
    out.push_back(entry->sampled ? &entry->state : nullptr);
  }
  return out;
}

}  // namespace volumeter
