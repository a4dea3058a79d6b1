#include "collect/collector.h"

#include <utility>

#include "collect/self_metrics.h"
#include "collect/snapshot_builder.h"
#include "volumeter/log.h"

namespace volumeter {

using namespace std::chrono_literals;

namespace {
constexpr auto kPatience = 300ms;
// Hundreds of volumes that hang take a while to find out; readiness doesn't wait for the last.
constexpr auto kReadyAtLast = 20s;

// A filesystem that the kernel turned read-only after an error announces nothing in the mount
// table, but statfs says so.
bool disagrees_with_mounts(const Snapshot& snapshot) {
  const auto differs = [](const Reading& reading, const MountEntry& mount) {
    return reading.read_only &&
           *reading.read_only != (mount.mount_read_only || mount.super_read_only);
  };
  const Inventory& inventory = *snapshot.inventory;
  for (std::size_t i = 0; i < inventory.volumes.size(); ++i) {
    const auto& mount = inventory.volumes[i].mount;
    if (mount && differs(snapshot.volumes[i], *mount)) return true;
  }
  for (std::size_t i = 0; i < inventory.filesystems.size(); ++i) {
    if (differs(snapshot.filesystems[i], inventory.filesystems[i].mount)) return true;
  }
  return false;
}
}  // namespace

Collector::Collector(EventLoop& loop, const HostPaths& host, MetadataSource& metadata,
                     const Measurers& measurers, CollectorOptions options)
    : loop_(loop),
      measurers_(measurers),
      options_(std::move(options)),
      observer_(host, metadata, options_.all_volumes),
      sampler_(loop, measurers, options_.sampler, [this] { publish_soon(); }) {
  loop_.after(0ms, [this] { tick(); });
}

std::shared_ptr<const Snapshot> Collector::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Collector::tick() {
  loop_.after(options_.sampler.interval, [this] { tick(); });
  observe();
  sampler_.start_round();
  // A volume that hangs doesn't hold back what the others answered.
  loop_.after(kPatience, [this] {
    if (!sampler_.idle()) publish_soon();
  });
}

void Collector::observe() {
  if (observer_.observe()) {
    sampler_.set_inventory(observer_.inventory());
    described_ = describe_inventory(measurers_, *observer_.inventory(), options_.sampler.disabled);
  }
  if (observer_.waiting_for_names() && !std::exchange(looking_again_, true)) {
    loop_.after(1s, [this] {
      looking_again_ = false;
      observe();
      if (!observer_.waiting_for_names()) sampler_.start_round();
    });
  }
}

// Answers of one round come in together: one snapshot shows them all.
void Collector::publish_soon() {
  if (std::exchange(publish_due_, true)) return;
  loop_.after(0ms, [this] { publish(); });
}

void Collector::publish() {
  publish_due_ = false;
  SnapshotInput input;
  input.inventory = observer_.inventory();
  input.described = &described_;
  for (std::size_t i = 0; i < measurers_.size(); ++i) input.states.push_back(sampler_.states(i));
  input.sources = observer_.sources();
  input.now = std::chrono::system_clock::now();
  auto snapshot = build_snapshot(measurers_, input);
  for (std::size_t i = 0; i < measurers_.size(); ++i) {
    const RoundResult& round = sampler_.rounds()[i];
    if (dynamic_cast<const SampledMeasurer*>(measurers_[i].get()) != nullptr && round.complete) {
      add_measurer_result(snapshot->measurements, measurers_[i]->name(), round.seconds,
                          round.failed == 0);
    }
  }
  add_workers(snapshot->measurements, sampler_.workers());
  if (disagrees_with_mounts(*snapshot)) observer_.suspect_mounts();
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = snapshot;
  }
  const bool tried = sampler_.idle() && !observer_.waiting_for_names();
  if (tried || std::chrono::steady_clock::now() - started_ > kReadyAtLast) ready_ = true;
  if (listener_) listener_(*snapshot);
}

LiveCollector::LiveCollector(const Measurers& measurers, const std::set<std::string>& disabled) {
  for (const auto& measurer : measurers) {
    auto* live = dynamic_cast<LiveMeasurer*>(measurer.get());
    if (live != nullptr && !disabled.contains(std::string(live->name()))) {
      measurers_.push_back(live);
    }
  }
}

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
