#include "measure/latency/latency.h"

#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "measure/latency/block_accounts.h"
#include "measure/latency/block_metrics.h"
#include "measure/latency/call_accounts.h"
#include "measure/latency/call_metrics.h"
#include "measure/latency/programs.h"
#include "workers/tracing.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

// Of each new disk: long enough to have seen it at work.
constexpr auto kIssueTrial = 60s;

class LatencyMeasurer final : public TracingMeasurer {
 public:
  explicit LatencyMeasurer(bool reads_and_writes) : reads_and_writes_(reads_and_writes) {}

  [[nodiscard]] std::string_view name() const override { return "latency"; }
  [[nodiscard]] std::vector<const MetricDesc*> families() const override;
  [[nodiscard]] std::vector<std::string> all_programs() const override;
  [[nodiscard]] std::size_t map_count() const override { return kLatencyMaps; }

  [[nodiscard]] Result<std::vector<int>> attach(const std::string& program,
                                                const std::vector<int>& maps) const override {
    return attach_latency_program(program, maps);
  }

  Status adopt(const std::vector<UniqueFd>& maps) override;
  void set_inventory(const std::shared_ptr<const Inventory>& inventory) override;
  void set_inodes(const std::vector<std::uint64_t>& inodes) override;
  [[nodiscard]] std::vector<std::string> wanted_programs() override;
  void on_attached(const std::string& program, bool attached) override;
  Status measure(const Inventory& inventory, MeasurementSet& out) override;
  void add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) override;

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] bool wants_issue() const;
  [[nodiscard]] BlockPrograms programs() const;
  [[nodiscard]] TimedOperations timed_operations() const;
  [[nodiscard]] std::vector<std::optional<CallAccount>> call_accounts(
      const Inventory& inventory) const;
  void watch_calls();

  const bool reads_and_writes_;
  std::mutex mutex_;  // all below: measure() runs on the HTTP thread
  BlockAccounts accounts_;
  CallAccounts calls_;
  std::shared_ptr<const Inventory> inventory_;
  std::vector<std::uint64_t> inodes_;  // parallel to its targets
  std::set<std::string> attached_;
  Clock::time_point new_disk_at_ = Clock::now();
};

std::vector<const MetricDesc*> LatencyMeasurer::families() const {
  auto all = block_families();
  const auto calls = call_families();
  all.insert(all.end(), calls.begin(), calls.end());
  return all;
}

std::vector<std::string> LatencyMeasurer::all_programs() const {
  std::vector<std::string> all = {kRequestComplete, kRequestIssue, kBioQueue, kBioComplete};
  all.insert(all.end(), sync_programs().begin(), sync_programs().end());
  all.insert(all.end(), read_write_programs().begin(), read_write_programs().end());
  return all;
}

Status LatencyMeasurer::adopt(const std::vector<UniqueFd>& maps) {
  if (maps.empty()) return Error{"no map came with the program", EBADMSG};
  auto memory = map_latency_memory(maps.front().get());
  if (!memory) return memory.error();
  const std::lock_guard lock(mutex_);
  accounts_.adopt(*memory);
  calls_.adopt(*memory);
  watch_calls();
  return Done{};
}

void LatencyMeasurer::set_inventory(const std::shared_ptr<const Inventory>& inventory) {
  const std::lock_guard lock(mutex_);
  inventory_ = inventory;
  inodes_.clear();
  if (accounts_.watch(inventory)) new_disk_at_ = Clock::now();
}

void LatencyMeasurer::set_inodes(const std::vector<std::uint64_t>& inodes) {
  const std::lock_guard lock(mutex_);
  inodes_ = inodes;
  watch_calls();
}

void LatencyMeasurer::watch_calls() {
  if (!inventory_ || inodes_.size() != inventory_->targets.size()) return;
  calls_.watch(*inventory_, inodes_, [this](std::size_t device) -> std::optional<std::uint16_t> {
    const BlockDevice& block = inventory_->devices[device].block;
    const bool accounted = block.bio_based || block.accounts;
    if (!accounted || !is_timed(block, programs())) return std::nullopt;
    return accounts_.slot_of(*inventory_, device);
  });
}

// Where a queue keeps statistics, its requests know when the device was given them, and
// block_rq_issue would only cost. Whether each does, only time tells.
bool LatencyMeasurer::wants_issue() const {
  return accounts_.without_start() > 0 || Clock::now() - new_disk_at_ < kIssueTrial;
}

std::vector<std::string> LatencyMeasurer::wanted_programs() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> wanted;
  if (!inventory_) return wanted;
  bool requests = false;
  bool bios = false;
  for (const Device& device : inventory_->devices) {
    if (device.owner || device.shown()) (device.block.bio_based ? bios : requests) = true;
  }
  // Before those that finish what this one begins; else something would be missed.
  if (requests && wants_issue()) wanted.emplace_back(kRequestIssue);
  if (requests) wanted.emplace_back(kRequestComplete);
  if (bios) wanted.insert(wanted.end(), {kBioComplete, kBioQueue});
  if (!calls_.any()) return wanted;
  wanted.insert(wanted.end(), sync_programs().begin(), sync_programs().end());
  if (!reads_and_writes_) return wanted;
  wanted.insert(wanted.end(), read_write_programs().begin(), read_write_programs().end());
  return wanted;
}

void LatencyMeasurer::on_attached(const std::string& program, bool attached) {
  const std::lock_guard lock(mutex_);
  if (attached) {
    attached_.insert(program);
  } else {
    attached_.erase(program);
  }
  if (program == kRequestIssue) accounts_.set_issuing(attached);
  watch_calls();
}

BlockPrograms LatencyMeasurer::programs() const {
  return {attached_.contains(kRequestComplete), attached_.contains(kRequestIssue),
          attached_.contains(kBioQueue) && attached_.contains(kBioComplete)};
}

// What nobody counts isn't 0: the calls that most applications make must be timed.
TimedOperations LatencyMeasurer::timed_operations() const {
  const auto both = [this](const char* one, const char* other) {
    return attached_.contains(one) && attached_.contains(other);
  };
  return {both("fsync", "fdatasync"), both("read", "pread64"), both("write", "pwrite64")};
}

std::vector<std::optional<CallAccount>> LatencyMeasurer::call_accounts(
    const Inventory& inventory) const {
  // A request whose way to the device nobody noted has all its time there.
  const bool queue_known = accounts_.without_start() == 0 || attached_.contains(kRequestIssue);
  auto all = calls_.subjects(inventory);
  for (auto& account : all) {
    if (account) account->queue_known = account->queue_known && queue_known;
  }
  return all;
}

Status LatencyMeasurer::measure(const Inventory& inventory, MeasurementSet& out) {
  const std::lock_guard lock(mutex_);
  if (!accounts_.adopted()) return Error{"no BPF program is attached", 0};
  add_block_times(inventory, accounts_.subjects(inventory, programs()),
                  accounts_.devices(inventory, programs()), out);
  if (!calls_.any()) return Done{};
  add_call_times(inventory, call_accounts(inventory), timed_operations(), out);
  add_lost_calls(calls_.lost(), out);
  return Done{};
}

void LatencyMeasurer::add_io_totals(const Inventory& inventory, std::vector<IoTotals>& totals) {
  const std::lock_guard lock(mutex_);
  if (!accounts_.adopted()) return;
  const auto subjects = accounts_.subjects(inventory, programs());
  const auto calls = call_accounts(inventory);
  const bool syncs_timed = timed_operations()[CALL_SYNC];
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (subjects[i]) {
      totals[i].latency.emplace();
      for (std::size_t o = 0; o < totals[i].latency->size(); ++o) {
        const auto& buckets = subjects[i]->counts.operations[o].buckets;
        (*totals[i].latency)[o].assign(buckets.begin(), buckets.end());
      }
    }
    if (!calls[i] || !syncs_timed) continue;
    const CallCounts& counts = calls[i]->counts;
    const auto& buckets = counts.operations[CALL_SYNC].buckets;
    totals[i].syncs.emplace(buckets.begin(), buckets.end());
    if (!calls[i]->wait_known) continue;
    totals[i].wait = {counts.device_seconds, counts.queue_seconds, counts.above_seconds};
  }
}

}  // namespace

std::unique_ptr<Measurer> make_latency_measurer(bool reads_and_writes) {
  return std::make_unique<LatencyMeasurer>(reads_and_writes);
}

}  // namespace volumeter
