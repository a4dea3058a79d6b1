// Schedule, deadlines, snapshot swap: the daemon's heart. Runs on the event loop; the accessors
// are for any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "collect/deleted_files.h"
#include "collect/io_history.h"
#include "collect/observer.h"
#include "collect/prober.h"
#include "collect/sampler.h"
#include "collect/tracer.h"
#include "collect/walker.h"
#include "collect/workload_fit.h"
#include "host/capabilities.h"
#include "host/event_loop.h"
#include "measure/all.h"
#include "volumeter/snapshot.h"

namespace volumeter {

struct CollectorOptions {
  SamplerOptions sampler;
  WalkerOptions walker;
  DeletedFilesOptions deleted;
  TracerOptions tracer;
  ProberOptions prober;
  Capabilities capabilities;
  bool all_volumes = false;  // configMap, secret, ... in /metrics too
};

class Collector {
 public:
  // Nothing happens before the loop runs.
  Collector(EventLoop& loop, const HostPaths& host, MetadataSource& metadata,
            const Measurers& measurers, CollectorOptions options);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // The newest snapshot; null before the first. Any thread; costs a mutex.
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;

  // Every volume has been tried once: answered, or found to hang; or 20 s have passed. Any thread.
  [[nodiscard]] bool ready() const { return ready_; }

  // No walk is due or under way. Event-loop thread.
  [[nodiscard]] bool walked() const { return walker_.idle(); }

  // Called on the event loop with each new snapshot.
  void on_snapshot(std::function<void(const Snapshot&)> callback) {
    listener_ = std::move(callback);
  }

 private:
  void tick();
  void watch_for_changes(const HostPaths& host);
  void look_in(EventLoop::Duration delay);
  void look();
  void observe();
  void publish();
  void publish_patiently();
  void publish_soon();
  void answered(bool now);
  void spread_inventory();
  void spread_inodes();
  void record_io();

  EventLoop& loop_;
  MetadataSource& metadata_;
  const Measurers& measurers_;
  const CollectorOptions options_;
  Observer observer_;
  Sampler sampler_;
  Walker walker_;
  DeletedFiles deleted_files_;
  Prober prober_;
  Tracer tracer_;
  IoHistory io_history_;
  WorkloadFit workload_fit_;
  MeasurementSet described_;                          // of the observer's inventory
  std::optional<std::vector<std::uint64_t>> inodes_;  // of its targets, as last spread
  std::function<void(const Snapshot&)> listener_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  UniqueFd mount_events_;
  bool publish_due_ = false;
  bool patient_ = false;
  bool unpublished_ = false;  // answers or an inventory that no snapshot shows
  std::optional<EventLoop::TimerId> look_timer_;
  std::chrono::steady_clock::time_point look_at_{};  // of the timer
  std::chrono::steady_clock::time_point look_not_before_{};
  std::atomic<bool> ready_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;  // guarded by mutex_
};

// Runs the live measurers: the HTTP thread's part of a scrape.
class LiveCollector {
 public:
  LiveCollector(const Measurers& measurers, const std::set<std::string>& disabled);
  MeasurementSet collect(const Inventory& inventory);

 private:
  std::vector<LiveMeasurer*> measurers_;
};

}  // namespace volumeter
