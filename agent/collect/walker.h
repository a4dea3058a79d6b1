// Finds out what directories that share a filesystem use: asks a quota where there is one, else
// walks; one slice after another, in a worker of its own, on a budget. Event-loop thread only.
//
// Up to kWalkSlots walks are under way and take turns, so that a large volume doesn't keep the
// small ones waiting. Each slice is paid for with the CPU time it took; while the account is
// overdrawn, nothing runs, and so intervals stretch.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collect/walk_store.h"
#include "host/event_loop.h"
#include "host/soonest_timer.h"
#include "measure/usage/quota.h"
#include "workers/worker_pool.h"

namespace volumeter {

struct WalkerOptions {
  // `deadline`: how long a slice may sleep in one call. Longer than for statfs: an idle I/O class
  // has to wait while others are served.
  WorkerOptions workers{{"/proc/self/exe", "/", WorkerProfile::kListing}, std::chrono::seconds(30)};
  bool enabled = true;
  std::chrono::milliseconds interval{300000};
  std::chrono::seconds stale_after{600};
  double share = 0.005;  // of one core, over time
  std::string state_dir;
};

class Walker {
 public:
  // `changed` is called with each new result or problem.
  Walker(EventLoop& loop, WalkerOptions options, std::function<void()> changed);
  ~Walker();
  Walker(const Walker&) = delete;
  Walker& operator=(const Walker&) = delete;

  // Follows the inventory. `reachable` says of a target of it whether statfs answers there now.
  void set_inventory(std::shared_ptr<const Inventory> inventory,
                     std::function<bool(std::size_t)> reachable);
  // Something may be due: an answer of statfs has come.
  void wake();

  // Parallel to the inventory's targets.
  [[nodiscard]] std::vector<TreeUse> uses();
  [[nodiscard]] std::vector<const TargetState*> states() const;
  // Nothing is due and nothing under way.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }
  [[nodiscard]] WorkerPool::Counts workers() const { return pool_.counts(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Target target;
    std::optional<std::size_t> index;  // in the inventory; absent once it left
    bool wanted = false;
    TargetState state;  // responsive only as far as walks say
    TreeUse use;
    Clock::time_point due{};
    std::optional<Clock::time_point> failing_since;
    std::optional<Clock::time_point> unreachable_since;
    int timeouts = 0;             // in a row
    bool shared_project = false;  // another directory belongs to the same one

    // Under way:
    WalkTicket ticket;
    Clock::time_point began{};
    WallTime began_at{};
    std::vector<Target> places;  // left to look at
    std::vector<QuotaLook> looks;
  };
  using EntryPtr = std::shared_ptr<Entry>;

  static void forget_trouble(Entry& entry);
  void restore(Entry& entry);
  void step();
  void refill();
  void rest();
  EntryPtr next();
  EntryPtr most_overdue() const;
  void begin(Entry& entry, std::uint8_t slot);
  void run(const EntryPtr& entry);
  void finished(const EntryPtr& entry, const JobResult& result);
  void took_slice(const EntryPtr& entry, const WalkSlice& slice);
  void looked(const EntryPtr& entry, const QuotaLook& look);
  void decide(const EntryPtr& entry);
  bool has_project_to_itself(Entry& entry, const TreeUse& use);
  void walk_anyway(Entry& entry);
  void complete(const EntryPtr& entry, TreeUse use);
  void fail(const EntryPtr& entry, const std::string& reason, const std::string& problem);
  void end(const EntryPtr& entry);
  void save_soon();
  void save();

  EventLoop& loop_;
  const WalkerOptions options_;
  std::function<void()> changed_;
  WalkStore store_;
  std::map<TargetKey, StoredWalk> restored_;
  std::shared_ptr<const Inventory> inventory_;
  std::function<bool(std::size_t)> reachable_;
  std::map<TargetKey, EntryPtr> entries_;
  std::vector<EntryPtr> current_;  // parallel to the inventory's targets
  std::vector<EntryPtr> active_;   // in the order of their turns
  EntryPtr busy_;                  // whose job is with the worker
  double credit_seconds_;          // of CPU time
  Clock::time_point credited_at_;
  double cpu_seconds_ = 0;
  std::uint32_t next_number_ = 1;
  SoonestTimer step_timer_;
  bool save_due_ = false;
  WorkerPool pool_;  // last: its callbacks use all of the above
};

}  // namespace volumeter
