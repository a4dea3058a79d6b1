#include "collect/collector.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "collect/alert_wishes.h"
#include "collect/self_metrics.h"
#include "collect/snapshot_builder.h"
#include "volumeter/log.h"

namespace volumeter {

using namespace std::chrono_literals;

namespace {
constexpr auto kPatience = 300ms;
// Hundreds of volumes that hang take a while to find out; readiness doesn't wait for the last.
constexpr auto kReadyAtLast = 20s;

// Events come in bursts, and looking costs more on a node with thousands of mounts (about 5 us for
// each): then it is done less often.
constexpr auto kLeastBetweenLooks = 50ms;
constexpr auto kMostBetweenLooks = 600ms;
constexpr int kLookingShare = 50;  // at most a fiftieth of one core, up to that pause
}  // namespace

Collector::Collector(EventLoop& loop, const HostPaths& host, MetadataSource& metadata,
                     const Measurers& measurers, CollectorOptions options)
    : loop_(loop),
      metadata_(metadata),
      measurers_(measurers),
      options_(std::move(options)),
      observer_(host, metadata, options_.all_volumes),
      sampler_(loop, measurers, options_.sampler, [this](bool now) { answered(now); }),
      walker_(loop, options_.walker, [this] { publish_patiently(); }),
      deleted_files_(loop, options_.deleted, [this] { publish_patiently(); }),
      prober_(loop, live_measurers(measurers, options_.sampler.disabled), options_.prober,
              [this] { publish_patiently(); }),
      tracer_(loop, measurers, options_.tracer) {
  watch_for_changes(host);
  loop_.after(0ms, [this] { tick(); });
}

Collector::~Collector() {
  loop_.unwatch(metadata_.changed_fd());
  if (mount_events_) loop_.unwatch(mount_events_.get());
}

void Collector::watch_for_changes(const HostPaths& host) {
  loop_.watch(metadata_.changed_fd(), [this] {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(metadata_.changed_fd(), &count, sizeof count);
    look_in(0ms);
  });
  auto events = open_mount_events(host);
  const Status watched = events ? loop_.watch_priority(events->get(), [this] { look_in(0ms); })
                                : Status(events.error());
  if (watched) {
    mount_events_ = std::move(events).value();
  } else {
    log(LogLevel::kWarn, "mounts aren't announced: they are noticed at the next interval",
        {{"error", watched.error().message}});
  }
}

std::shared_ptr<const Snapshot> Collector::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Collector::tick() {
  loop_.after(options_.sampler.interval, [this] { tick(); });
  observe();
  sampler_.start_round();
  deleted_files_.ask(*observer_.inventory(), walker_.uses());
  record_io();
  tracer_.look();
  publish_patiently();
}

void Collector::record_io() {
  const auto inventory = observer_.inventory();
  const auto totals = io_totals(*inventory, measurers_, options_.sampler.disabled);
  const auto now = std::chrono::steady_clock::now();
  io_history_.record(*inventory, totals, now);
  workload_fit_.record(*inventory, totals, now);
}

// One look is enough for all who want one.
void Collector::look_in(EventLoop::Duration delay) {
  const auto now = std::chrono::steady_clock::now();
  const auto when = std::max(now + delay, look_not_before_);
  if (look_timer_) {
    if (look_at_ <= when) return;
    loop_.cancel(*look_timer_);
  }
  look_at_ = when;
  look_timer_ = loop_.after(when - now, [this] { look(); });
}

// Something was announced: what is new is measured now, what has gone leaves, the rest waits for
// its turn.
void Collector::look() {
  look_timer_.reset();
  const auto before = observer_.inventory();
  const auto began = std::chrono::steady_clock::now();
  observe();
  const auto now = std::chrono::steady_clock::now();
  look_not_before_ = now + std::clamp<EventLoop::Duration>((now - began) * kLookingShare,
                                                           kLeastBetweenLooks, kMostBetweenLooks);
  if (observer_.inventory() == before) return;
  sampler_.sample_new();
  sampler_.idle() ? publish_soon() : publish_patiently();
}

void Collector::answered(bool now) {
  now ? publish_soon() : publish_patiently();
  if (now) walker_.wake();
}

// A volume that hangs doesn't hold back what the others answered; nor is there a snapshot for each
// answer.
void Collector::publish_patiently() {
  unpublished_ = true;
  if (std::exchange(patient_, true)) return;
  loop_.after(kPatience, [this] {
    patient_ = false;
    if (unpublished_) publish_soon();
  });
}

void Collector::observe() {
  if (observer_.observe()) spread_inventory();
  if (observer_.unsettled()) look_in(1s);
}

void Collector::spread_inventory() {
  const auto inventory = observer_.inventory();
  for (LiveMeasurer* live : live_measurers(measurers_, options_.sampler.disabled)) {
    live->set_inventory(inventory);
  }
  sampler_.set_inventory(inventory);
  inodes_.reset();
  spread_inodes();
  walker_.set_inventory(inventory,
                        [this](std::size_t target) { return sampler_.reachable(target); });
  prober_.set_inventory(inventory, [this](std::size_t target) { return sampler_.hangs(target); });
  described_ = describe_inventory(measurers_, *inventory, options_.sampler.disabled);
  tracer_.look();
}

// Answers of one round come in together: one snapshot shows them all.
void Collector::publish_soon() {
  if (std::exchange(publish_due_, true)) return;
  loop_.after(0ms, [this] { publish(); });
}

void Collector::spread_inodes() {
  auto inodes = sampler_.inodes();
  if (inodes == inodes_) return;
  inodes_ = std::move(inodes);
  for (LiveMeasurer* live : live_measurers(measurers_, options_.sampler.disabled)) {
    live->set_inodes(*inodes_);
  }
  tracer_.look();
}

void Collector::publish() {
  publish_due_ = false;
  unpublished_ = false;
  spread_inodes();
  SnapshotInput input;
  input.inventory = observer_.inventory();
  input.described = &described_;
  for (std::size_t i = 0; i < measurers_.size(); ++i) input.states.push_back(sampler_.states(i));
  input.states.push_back(walker_.states());
  input.trees = walker_.uses();
  input.deleted = deleted_files_.open_files(*input.inventory);
  input.activity = io_history_.activity(*input.inventory);
  input.sources = observer_.sources();
  input.disabled = options_.sampler.disabled;
  input.now = std::chrono::system_clock::now();
  auto snapshot = build_snapshot(measurers_, input);
  for (std::size_t i = 0; i < measurers_.size(); ++i) {
    const RoundResult& round = sampler_.rounds()[i];
    if (dynamic_cast<const SampledMeasurer*>(measurers_[i].get()) != nullptr && round.complete) {
      add_measurer_result(snapshot->measurements, measurers_[i]->name(), round.seconds,
                          round.failed == 0);
    }
  }
  const WorkerPool::Counts sampling = sampler_.workers();
  const WorkerPool::Counts walking = walker_.workers();
  const WorkerPool::Counts probing = prober_.workers();
  add_workers(snapshot->measurements, {sampling.ready + walking.ready + probing.ready,
                                       sampling.stuck + walking.stuck + probing.stuck});
  prober_.report(*snapshot);
  workload_fit_.report(*input.inventory, snapshot->measurements);
  report_alert_wishes(*input.inventory, snapshot->measurements);
  add_walk_cpu(snapshot->measurements, walker_.cpu_seconds());
  add_programs(snapshot->measurements, tracer_.programs());
  add_capabilities(snapshot->measurements, options_.capabilities);
  add_requests(snapshot->measurements, observer_.requests());
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = snapshot;
  }
  prober_.set_snapshot(snapshot);
  const bool tried = sampler_.idle() && !observer_.waiting_for_names();
  if (tried || std::chrono::steady_clock::now() - started_ > kReadyAtLast) ready_ = true;
  if (listener_) listener_(*snapshot);
}

LiveCollector::LiveCollector(const Measurers& measurers, const std::set<std::string>& disabled)
    : measurers_(live_measurers(measurers, disabled)) {}

MeasurementSet LiveCollector::collect(const Inventory& inventory) {
  MeasurementSet out;
  for (LiveMeasurer* measurer : measurers_) {
    const auto start = std::chrono::steady_clock::now();
    const Status status = measurer->measure(inventory, out);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    add_measurer_result(out, measurer->name(), took.count(), status.ok());
  }
  add_process(out);
  add_build_info(out);
  return out;
}

}  // namespace volumeter
