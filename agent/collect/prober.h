// Asks volumes themselves how fast they are, where their owners agreed (collect/probe_plan.h): a
// pulse every so often, and now and then a burst. Event-loop thread only.
//
// One probe is under way at a time, but for those that hang: these keep their workers, one a
// superblock, and hold up nobody else. Pulses of different volumes, and of different nodes, have
// nothing in common but their interval.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "collect/burst_watch.h"
#include "collect/probe_plan.h"
#include "collect/probe_record.h"
#include "host/event_loop.h"
#include "host/soonest_timer.h"
#include "workers/worker_pool.h"

namespace volumeter {

struct ProberOptions {
  ProbeMode mode = ProbeMode::kAnnotated;
  std::chrono::milliseconds interval{10000};
  std::chrono::milliseconds burst_interval{900000};
  // A pulse that has slept in the kernel for this long hangs.
  std::chrono::milliseconds late{2000};
  // `deadline`: until then a probe that hangs may still come back; then its worker is killed.
  WorkerOptions workers{{"/proc/self/exe", "/", WorkerProfile::kProbing}, std::chrono::minutes(10)};
  std::string procfs = "/proc";
};

class Prober {
 public:
  // `changed` is called when a volume's writes stop or begin to come back, and now and then while
  // they don't.
  Prober(EventLoop& loop, std::vector<LiveMeasurer*> live, ProberOptions options,
         std::function<void()> changed);

  // Follows the inventory. `hangs` says of a target of it whether statfs has stopped answering
  // there.
  void set_inventory(std::shared_ptr<const Inventory> inventory,
                     std::function<bool(std::size_t)> hangs);
  // What is known of the volumes by now.
  void set_snapshot(std::shared_ptr<const Snapshot> snapshot) { snapshot_ = std::move(snapshot); }

  // Adds the series, and a problem to volumes whose writes don't come back.
  void report(Snapshot& out);
  [[nodiscard]] WorkerPool::Counts workers() const { return pool_.counts(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::string name;
    ProbePlan plan;
    std::optional<std::size_t> subject;  // in the inventory; absent once it left
    ProbeRecord record;
    Clock::time_point beat;  // the schedule that pulses keep to, give or take a little
    Clock::time_point due;
    Clock::time_point burst_due;
    bool queued = false;
    std::optional<WorkerPool::JobId> job;
    bool bursting = false;   // what the job is
    bool cancelled = false;  // the job's end says nothing of the volume
    Clock::time_point began;
    std::unique_ptr<BurstWatch> watch;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  void follow(const EntryPtr& entry, ProbePlan plan);
  void announce(const Entry& entry, const ProbePlan& before) const;
  void schedule(Entry& entry);
  [[nodiscard]] Clock::duration somewhere_in(Clock::duration span);
  void step();
  void look_after(const EntryPtr& entry);
  void next();
  [[nodiscard]] std::string pulse_obstacle(const Entry& entry) const;
  [[nodiscard]] const Snapshot* snapshot_of(const Entry& entry) const;
  void pulsed(const EntryPtr& entry, const JobResult& result);
  void take_figures(Entry& entry, const PulseAnswer& answer);
  void no_worker(ProbeRecord& record);
  void failed(Entry& entry, int error, const PulseAnswer& answer);
  void set_responsive(Entry& entry, bool responsive);
  void consider_burst(const EntryPtr& entry);
  void burst(const EntryPtr& entry);
  void follow_burst(const EntryPtr& entry, WorkerPool::JobId job);
  void burst_ended(const EntryPtr& entry, const JobResult& result);
  void submit(const EntryPtr& entry, ProbeFunction function);

  EventLoop& loop_;
  const std::vector<LiveMeasurer*> live_;
  const ProberOptions options_;
  std::function<void()> changed_;
  std::shared_ptr<const Inventory> inventory_;
  std::function<bool(std::size_t)> hangs_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<std::vector<std::string>, EntryPtr> entries_;  // by a subject's labels
  std::deque<EntryPtr> waiting_;
  EntryPtr running_;  // whose probe is with the worker and doesn't hang
  SoonestTimer step_timer_;
  Clock::time_point reminded_{};
  Clock::time_point no_worker_before_{};
  Clock::duration no_worker_pause_ = std::chrono::seconds(1);
  std::mt19937 random_{std::random_device{}()};
  ProbeReport report_;
  WorkerPool pool_;  // last: its callbacks use all of the above
};

}  // namespace volumeter
