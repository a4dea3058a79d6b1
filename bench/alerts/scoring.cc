#include "bench/alerts/scoring.h"

#include <algorithm>

namespace volumeter::backtest {
namespace {

bool overlap(const Firing& firing, std::int64_t from, std::int64_t until) {
  return firing.begin < until && firing.end > from;
}

Counts judge(const Claim& claim, const std::vector<Stretch>& tight, const Firing& firing) {
  const auto any = [](const auto& all, const auto& condition) {
    return std::any_of(all.begin(), all.end(), condition);
  };
  if (any(claim.fill_ups,
          [&](const FillUp& it) { return overlap(firing, it.urgent_from(), it.over); })) {
    return {.urgent = 1};
  }
  if (any(tight, [&](const Stretch& it) { return overlap(firing, it.from, it.until); })) {
    return {.tight = 1};
  }
  if (any(claim.fill_ups, [&](const FillUp& it) {
        return overlap(firing, std::max(it.leak_start, it.full - 7 * kDay), it.full);
      })) {
    return {.early = 1};
  }
  return {.none = 1};
}

// How long before the deadline alerts that still fired in the last day began; negative: none did.
std::int64_t lead_of(const FillUp& fill_up, const Policy& policy,
                     const std::vector<Firing>& firings, bool pages_only) {
  std::int64_t lead = -1;
  for (const Firing& firing : firings) {
    if (pages_only && !policy.alerts[firing.alert].pages) continue;
    if (!overlap(firing, fill_up.urgent_from(), fill_up.deadline)) continue;
    lead = std::max(lead, fill_up.deadline - std::max(firing.begin, fill_up.leak_start));
  }
  return lead;
}

double hours(std::int64_t lead) {
  return static_cast<double>(std::max<std::int64_t>(lead, 0)) / kHour;
}

void score_fill_up(const Policy& policy, const FillUp& fill_up, const std::vector<Firing>& firings,
                   Score& score) {
  const std::int64_t lead = lead_of(fill_up, policy, firings, false);
  const std::int64_t page_lead = lead_of(fill_up, policy, firings, true);
  score.in_time += lead >= kInTime ? 1 : 0;
  score.paged += page_lead >= 0 ? 1 : 0;
  score.lead.push_back(hours(lead));
  score.page_lead.push_back(hours(page_lead));
}

void score_claim(const Policy& policy, const Setting& setting, const Claim& claim,
                 const std::vector<Firing>& firings, Scores& scores) {
  const auto kind = static_cast<std::size_t>(claim.kind);
  Score& mine = scores.by_kind[kind];
  const std::vector<Stretch> tight = tight_times(claim);
  ++mine.claims;
  mine.tight_claims += tight.empty() ? 0 : 1;
  for (const FillUp& fill_up : claim.fill_ups) {
    if (fill_up.deadline < setting.warm() + kInTime || fill_up.deadline >= setting.end()) continue;
    score_fill_up(policy, fill_up, firings, mine);
  }
  for (const Firing& firing : firings) {
    if (firing.begin < setting.warm()) continue;
    const Counts counts = judge(claim, tight, firing);
    (policy.alerts[firing.alert].pages ? mine.pages : mine.warnings).add(counts);
    scores.by_alert[firing.alert][kind].add(counts);
  }
}

}  // namespace

std::vector<Stretch> tight_times(const Claim& claim) {
  std::vector<Stretch> times;
  for (int i = 0; i < static_cast<int>(claim.used.size()); ++i) {
    const bool tight =
        claim.used[i] >= kTightRatio * claim.capacity[i] && claim.available(i) < kTightBytes;
    if (!tight) continue;
    // What is measured is known until it is measured again.
    const std::int64_t until = (i + 2) * kStep;
    if (times.empty() || times.back().until < i * kStep) times.push_back({i * kStep, until});
    times.back().until = until;
  }
  return times;
}

void Counts::add(const Counts& other) {
  urgent += other.urgent;
  tight += other.tight;
  early += other.early;
  none += other.none;
}

void Score::add(const Score& other) {
  claims += other.claims;
  tight_claims += other.tight_claims;
  in_time += other.in_time;
  paged += other.paged;
  lead.insert(lead.end(), other.lead.begin(), other.lead.end());
  page_lead.insert(page_lead.end(), other.page_lead.begin(), other.page_lead.end());
  pages.add(other.pages);
  warnings.add(other.warnings);
}

Score Scores::all() const {
  Score sum;
  for (const Score& kind : by_kind) sum.add(kind);
  return sum;
}

Scores score(const Policy& policy, const Cluster& cluster, const Firings& firings) {
  Scores scores;
  scores.by_alert.resize(policy.alerts.size());
  for (std::size_t i = 0; i < cluster.claims.size(); ++i) {
    score_claim(policy, cluster.setting, cluster.claims[i], firings[i], scores);
  }
  return scores;
}

}  // namespace volumeter::backtest
