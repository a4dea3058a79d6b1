#include "collect/io_history.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "volumeter/measurement.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
constexpr auto kWindow = 60s;
constexpr auto kLeastApart = 5s;  // of moments that are kept: a short --interval needs no more

}  // namespace

std::vector<IoTotals> io_totals(const Inventory& inventory, const Measurers& measurers,
                                const std::set<std::string>& disabled) {
  std::vector<IoTotals> totals(inventory.subjects.size());
  for (LiveMeasurer* live : live_measurers(measurers, disabled)) {
    live->add_io_totals(inventory, totals);
  }
  return totals;
}

void IoHistory::record(const Inventory& inventory, const std::vector<IoTotals>& totals,
                       Clock::time_point now) {
  Moment moment{now, {}, 0};
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (!totals[i].counters && !totals[i].latency && !totals[i].syncs) continue;
    moment.timed += (totals[i].latency ? 1U : 0U) + (totals[i].syncs ? 1U : 0U);
    moment.totals.emplace(*inventory.subjects[i].labels, totals[i]);
  }
  // The newest two may be close: the last is always as new as can be. The first in which something
  // is timed stays, too.
  if (moments_.size() > 1) {
    const Moment& newest = moments_.back();
    const Moment& before = moments_[moments_.size() - 2];
    if (newest.when - before.when < kLeastApart && newest.timed == before.timed) {
      moments_.pop_back();
    }
  }
  moments_.push_back(std::move(moment));
  while (moments_.size() > 2 && now - moments_[1].when >= kWindow) moments_.pop_front();
}

// Between the last two moments that are some seconds apart.
std::uint64_t IoHistory::recent_syncs(const std::vector<std::string>& subject) const {
  const Moment& last = moments_.back();
  for (auto moment = moments_.rbegin(); moment != moments_.rend(); ++moment) {
    if (last.when - moment->when < kLeastApart) continue;
    const auto before = moment->totals.find(subject);
    const auto after = last.totals.find(subject);
    if (before == moment->totals.end() || !before->second.syncs || !after->second.syncs) return 0;
    const auto sum = [](const IoTotals::Buckets& counts) {
      return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    };
    const std::uint64_t from = sum(*before->second.syncs);
    return std::max(sum(*after->second.syncs), from) - from;
  }
  return 0;
}

std::vector<std::optional<IoActivity>> IoHistory::activity(const Inventory& inventory) const {
  std::vector<std::optional<IoActivity>> all(inventory.subjects.size());
  if (moments_.empty()) return all;
  const Moment& last = moments_.back();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto after = last.totals.find(*inventory.subjects[i].labels);
    if (after == last.totals.end()) continue;
    for (const Moment& moment : moments_) {
      const auto before = moment.totals.find(after->first);
      if (&moment == &last || before == moment.totals.end()) continue;
      // From before its programs were attached: less would be known for a minute.
      if (after->second.latency && !before->second.latency) continue;
      const std::chrono::duration<double> seconds = last.when - moment.when;
      const auto activity =
          activity_between(before->second, after->second, seconds.count(), kIoBounds);
      if (!activity) continue;
      if (!all[i]) all[i] = activity;
      if (!after->second.syncs) break;
      if (!before->second.syncs) continue;
      // Their programs are attached last: since then, whatever is known of the time before.
      all[i]->sync_p50 = activity->sync_p50;
      all[i]->sync_p99 = activity->sync_p99;
      all[i]->wait_cause = activity->wait_cause;
      break;
    }
    if (all[i]) all[i]->recent_syncs = recent_syncs(after->first);
  }
  return all;
}

}  // namespace volumeter
