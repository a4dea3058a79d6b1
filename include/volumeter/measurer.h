// What a measurer is. A new measurement is one folder under agent/measure/ with one of these in
// it, and one line in agent/measure/all.cc (CONTRIBUTING.md walks through it).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "volumeter/inventory.h"
#include "volumeter/io_activity.h"
#include "volumeter/measurement.h"
#include "volumeter/result.h"
#include "volumeter/snapshot.h"

namespace volumeter {

// What a worker process answers about one target: fixed size, no pointers, no names.
struct SampleAnswer {
  std::int32_t error = 0;   // errno; kNotVisible when another filesystem answered
  std::uint64_t inode = 0;  // of what was reached; 0: not known
  std::array<std::uint64_t, 8> payload{};

  template <class T>
  void store(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(payload));
    std::memcpy(payload.data(), &value, sizeof(T));
  }
  template <class T>
  [[nodiscard]] T load() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(payload));
    T value;
    std::memcpy(static_cast<void*>(&value), payload.data(), sizeof(T));
    return value;
  }
};

// SampleAnswer::error when `path` led to another filesystem than the mount table says: a missing
// HostToContainer propagation, or a mount that changed in between. Outside errno's range.
inline constexpr std::int32_t kNotVisible = 4097;
// When the worker gave a request back unserved, because an earlier one had held it up. Not an
// errno, because a FUSE server may answer with any of those.
inline constexpr std::int32_t kCancelled = 4098;

// Runs in a worker, under its seccomp filter: fstatfs, fstat and statx are allowed, and nothing
// that reads, lists or writes; more in workers that may list directories (workers/sandbox.h). `fd`
// was opened O_PATH and is closed by the caller right after; `argument` is the daemon's. Fills the
// payload and returns 0, or returns an errno. May hang; must not allocate where it may not list.
using SampleFunction = int (*)(int fd, std::uint64_t argument, SampleAnswer& answer);

// What the collector knows of one target for one measurer.
struct TargetState {
  std::optional<SampleAnswer> answer;   // the last good one, until --stale-after
  std::optional<WallTime> answered_at;  // of the last good one
  std::optional<bool> responsive;       // false: a call hasn't returned by its deadline
  std::string problem;                  // of the last attempt; empty when it succeeded
  std::int32_t error = 0;               // of the last that was answered: SampleAnswer::error
  std::map<std::string, std::uint64_t> errors;  // by reason, since the agent started
};

// Subjects' labels with one value more, kept as long as the inventory: for series that every
// report() writes anew. Event-loop thread.
class ExtendedLabels {
 public:
  Labels get(const std::shared_ptr<const Inventory>& inventory, std::size_t subject,
             std::string_view value);

 private:
  std::shared_ptr<const Inventory> inventory_;
  std::vector<Labels> labels_;  // by subject; null until needed
};

// volumeter_volume_last_measured_timestamp_seconds{measurer}, for report() to add.
class LastMeasured {
 public:
  explicit LastMeasured(std::string measurer) : measurer_(std::move(measurer)) {}
  void add(Snapshot& out, std::size_t subject, WallTime when);
  static const VolumeMetric& metric();

 private:
  std::string measurer_;
  ExtendedLabels labels_;
};

class Measurer {
 public:
  virtual ~Measurer() = default;
  // As in --[no-]measure.<name> and the `measurer` label.
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Every family it may add, for docs and flags. The descs live as long as the program.
  [[nodiscard]] virtual std::vector<const MetricDesc*> families() const = 0;
};

// Reads kernel memory (/proc, sysfs, BPF maps). Called at each scrape on the HTTP thread, one
// call at a time: must not block and never touches a volume's path.
class LiveMeasurer : public Measurer {
 public:
  // An error shows as volumeter_measurer_success 0; what could be measured stays.
  virtual Status measure(const Inventory& inventory, MeasurementSet& out) = 0;

  // In the daemon, before it gives up capabilities and has threads.
  virtual void prepare() {}

  // What shows only in the light of everything else: called last on each snapshot. Event-loop
  // thread; must not block.
  virtual void judge(Snapshot& /*snapshot*/) {}

  // A new inventory; measure() may still be asked about the one before. Event-loop thread.
  virtual void set_inventory(const std::shared_ptr<const Inventory>& /*inventory*/) {}

  // The inodes of that inventory's targets, parallel to them, as workers have found them so far; 0:
  // not known. Whenever one changes. Event-loop thread.
  virtual void set_inodes(const std::vector<std::uint64_t>& /*inodes*/) {}

  // What each subject's I/O adds up to: fills in what it knows. `totals` is parallel to
  // inventory.subjects. Event-loop thread, every few seconds; must not block.
  virtual void add_io_totals(const Inventory& /*inventory*/, std::vector<IoTotals>& /*totals*/) {}
};

// Touches volumes, in a worker, every --interval.
class SampledMeasurer : public Measurer {
 public:
  [[nodiscard]] virtual SampleFunction function() const = 0;

  // Which of inventory.targets to sample. Event-loop thread; pure.
  [[nodiscard]] virtual std::vector<std::size_t> targets(const Inventory& inventory) const = 0;

  // Measurements that the inventory alone decides; kept until it changes. Event-loop thread; pure.
  virtual void describe(const Inventory& /*inventory*/, MeasurementSet& /*out*/) const {}

  // Adds readings and measurements to `out` (whose inventory, vectors and trees are set up
  // already). `states` is parallel to inventory.targets; null where the target was never sampled.
  // Event-loop thread; a function of its arguments, whatever it caches.
  virtual void report(const std::vector<const TargetState*>& states, Snapshot& out) = 0;
};

}  // namespace volumeter
