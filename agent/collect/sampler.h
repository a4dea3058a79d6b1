// Runs the sampled measurers' requests through the workers and keeps what they answered.
// Event-loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/event_loop.h"
#include "measure/all.h"
#include "volumeter/measurer.h"
#include "workers/worker_pool.h"

namespace volumeter {

struct SamplerOptions {
  WorkerOptions workers;
  std::chrono::milliseconds interval{15000};
  std::chrono::seconds stale_after{600};
  std::set<std::string> disabled;  // names of measurers that don't run
};

// How the last round of one measurer went.
struct RoundResult {
  double seconds = 0;
  bool complete = false;  // false: its first round hasn't ended
  std::size_t failed = 0;
};

class Sampler {
 public:
  // `changed` is called with each answer: true when nothing more is awaited, or a volume has
  // stopped or begun to respond.
  Sampler(EventLoop& loop, const Measurers& measurers, SamplerOptions options,
          std::function<void(bool)> changed);

  // Follows the inventory: state of targets that left is forgotten.
  void set_inventory(std::shared_ptr<const Inventory> inventory);

  // Starts a round: every target whose turn it is and that has no request under way.
  void start_round();
  // Only those that were never tried: volumes that have just appeared.
  void sample_new();
  [[nodiscard]] bool idle() const { return outstanding_ == 0; }

  // Parallel to the inventory's targets; null where never sampled. Answers older than stale_after
  // are dropped here. Valid until the next call of any method.
  std::vector<const TargetState*> states(std::size_t measurer);

  // Parallel to the inventory's targets: as measurer.h's set_inodes().
  [[nodiscard]] std::vector<std::uint64_t> inodes() const;

  // Whether the last call on this target of the inventory returned, and found it.
  [[nodiscard]] bool reachable(std::size_t target) const;
  // Whether it has been called and hasn't returned.
  [[nodiscard]] bool hangs(std::size_t target) const;

  [[nodiscard]] const std::vector<RoundResult>& rounds() const { return rounds_; }
  [[nodiscard]] WorkerPool::Counts workers() const { return pool_.counts(); }

 private:
  using Clock = std::chrono::steady_clock;
  using Key = std::pair<std::size_t, TargetKey>;  // of a measurer
  struct Entry {
    TargetState state;
    std::uint64_t inode = 0;  // kept when it doesn't answer any more
    DeviceNumber device;
    Clock::time_point answered{};
    Clock::time_point tried{};
    Clock::time_point not_before{};
    Clock::time_point tried_again{};
    int timeouts = 0;  // in a row
    bool sampled = false;
    bool under_way = false;
  };

  void submit_where(const std::function<bool(const Entry&)>& due);
  void submit(std::size_t measurer, std::size_t target);
  void try_again(DeviceNumber device);
  void finished(Entry& entry, const Target& target, const JobResult& result);
  static void record(Entry& entry, const Target& target, const JobResult& result);
  void back_off(Entry& entry) const;
  void round_ended();

  const SamplerOptions options_;
  std::function<void(bool)> changed_;
  std::vector<const SampledMeasurer*> measurers_;  // by index; null for others
  std::shared_ptr<const Inventory> inventory_;
  std::map<Key, std::shared_ptr<Entry>> entries_;
  // Per measurer, parallel to the inventory's targets; the same entries.
  std::vector<std::vector<std::shared_ptr<Entry>>> current_;
  std::vector<RoundResult> rounds_;
  Clock::time_point round_started_;
  bool in_round_ = false;
  std::size_t outstanding_ = 0;
  WorkerPool pool_;  // last: its callbacks use all of the above
};

}  // namespace volumeter
