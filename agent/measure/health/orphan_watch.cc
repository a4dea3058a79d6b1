#include "measure/health/orphan_watch.h"

#include <algorithm>
#include <array>
#include <optional>

namespace volumeter {
namespace {

const MetricDesc kCount = {"volumeter_orphans",
                           "What was left behind on the node, by kind: directories of pods that "
                           "are gone, mounts without a pod, volumes staged for none, loop devices "
                           "that nothing is on.",
                           MetricType::kGauge,
                           {"kind"}};
const MetricDesc kBytes = {"volumeter_orphan_bytes",
                           "Bytes in directories that were left behind, or of the devices that "
                           "are kept; of those where it is known.",
                           MetricType::kGauge,
                           {"kind"}};
const MetricDesc kOldest = {
    "volumeter_orphan_oldest_timestamp_seconds",
    "When the agent first saw the oldest of a kind left behind, in Unix time.",
    MetricType::kGauge,
    {"kind"}};

constexpr std::array kKinds = {Orphan::Kind::kPodDirectory, Orphan::Kind::kMount,
                               Orphan::Kind::kStaging, Orphan::Kind::kLoopDevice};

std::optional<std::uint64_t> bytes_of(const Snapshot& snapshot, const Orphan& orphan) {
  if (!orphan.target) return orphan.bytes;
  const TreeUse& use = snapshot.trees[*orphan.target];
  return use.method == UsageMethod::kWalk ? std::optional(use.bytes) : std::nullopt;
}

void add_kind(Orphan::Kind kind, const std::vector<OrphanReading>& orphans, MeasurementSet& out) {
  const std::vector<std::string> labels = {std::string(to_string(kind))};
  std::size_t count = 0;
  std::optional<std::uint64_t> bytes;
  std::optional<WallTime> oldest;
  for (const OrphanReading& orphan : orphans) {
    if (orphan.kind != kind) continue;
    ++count;
    if (orphan.bytes) bytes = bytes.value_or(0) + *orphan.bytes;
    oldest = std::min(oldest.value_or(orphan.since), orphan.since);
  }
  out.add(kCount, labels, static_cast<double>(count));
  if (bytes) out.add(kBytes, labels, static_cast<double>(*bytes));
  if (!oldest) return;
  const std::chrono::duration<double> since = oldest->time_since_epoch();
  out.add(kOldest, labels, since.count());
}

}  // namespace

std::vector<const MetricDesc*> OrphanWatch::families() { return {&kCount, &kBytes, &kOldest}; }

void OrphanWatch::add(Snapshot& snapshot) {
  if (!snapshot.inventory->orphans) return;  // what has been seen stays seen
  std::map<Key, WallTime> still;
  for (const Orphan& orphan : *snapshot.inventory->orphans) {
    const Key key{orphan.kind, orphan.path, orphan.device};
    const auto known = seen_.find(key);
    const WallTime since = known == seen_.end() ? snapshot.taken_at : known->second;
    still[key] = since;
    if (snapshot.taken_at - since < after_) continue;
    snapshot.orphans.push_back(
        {orphan.kind, orphan.path, orphan.device, bytes_of(snapshot, orphan), since});
  }
  seen_ = std::move(still);
  std::stable_sort(
      snapshot.orphans.begin(), snapshot.orphans.end(),
      [](const OrphanReading& a, const OrphanReading& b) { return a.since < b.since; });
  for (const Orphan::Kind kind : kKinds) {
    add_kind(kind, snapshot.orphans, snapshot.measurements);
  }
}

}  // namespace volumeter
