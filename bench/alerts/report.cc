#include "bench/alerts/report.h"

#include <cstdio>
#include <numeric>

#include "bench/support.h"

namespace volumeter::backtest {
namespace {

double per_thousand_weeks(const Setting& setting, int count, int claims) {
  return count / (claims * setting.weeks()) * 1000;
}

double percent(double part, double whole) { return whole == 0 ? 0 : 100 * part / whole; }

void row(const char* what, const char* format, double ours, double theirs, const char* goal) {
  std::printf("| %s | ", what);
  std::printf(format, ours);
  std::printf(" | ");
  std::printf(format, theirs);
  std::printf(" | %s |\n", goal);
}

}  // namespace

void print_mix(const Cluster& cluster, const Scores& scores) {
  const Setting& setting = cluster.setting;
  std::printf("## Alerts: %d claims, %d days, a sample each 5 minutes, seed %llu\n\n",
              setting.claims, setting.days, static_cast<unsigned long long>(setting.seed));
  std::printf("| kind | what they do | claims | fill-ups | claims tight at times |\n");
  std::printf("| --- | --- | --- | --- | --- |\n");
  for (const KindInfo& kind : kKinds) {
    const Score& score = scores.by_kind[static_cast<std::size_t>(kind.kind)];
    std::printf("| %s | %s | %d | %zu | %d |\n", kind.name, kind.about, score.claims,
                score.lead.size(), score.tight_claims);
  }
  const Score all = scores.all();
  std::printf("| all | | %d | %zu | %d |\n\n", all.claims, all.lead.size(), all.tight_claims);
}

void print_summary(const Setting& setting, const Outcome& ours, const Outcome& theirs) {
  const Score us = ours.scores.all();
  const Score them = theirs.scores.all();
  const auto rate = [&](int count) { return per_thousand_weeks(setting, count, us.claims); };
  std::printf("| | %s | %s | goal |\n| --- | --- | --- | --- |\n", ours.policy.name.c_str(),
              theirs.policy.name.c_str());
  const auto fill_ups = static_cast<double>(us.lead.size());
  row("fill-ups warned of at least 4 h ahead, %", "%.1f", percent(us.in_time, fill_ups),
      percent(them.in_time, fill_ups), "95");
  row("lead, median, h", "%.1f", bench::median(us.lead), bench::median(them.lead), "");
  row("fill-ups paged before they were full, %", "%.1f", percent(us.paged, fill_ups),
      percent(them.paged, fill_ups), "");
  row("lead of their page, median, h", "%.1f", bench::median(us.page_lead),
      bench::median(them.page_lead), "");
  row("pages per 1,000 claim-weeks", "%.2f", rate(us.pages.all()), rate(them.pages.all()), "");
  row("… false", "%.2f", rate(us.pages.none), rate(them.pages.none), "1");
  row("… of leaks, over a day before they are full", "%.2f", rate(us.pages.early),
      rate(them.pages.early), "");
  row("… at 90 % with under 10 GiB left, not filling up", "%.2f", rate(us.pages.tight),
      rate(them.pages.tight), "");
  row("… within a day of being full", "%.2f", rate(us.pages.urgent), rate(them.pages.urgent), "");
  row("warnings per 1,000 claim-weeks", "%.2f", rate(us.warnings.all()), rate(them.warnings.all()),
      "");
  const auto truth = [](const Counts& counts) {
    return percent(counts.all() - counts.none, counts.all());
  };
  row("… true (leaking, or tight), %", "%.1f", truth(us.warnings), truth(them.warnings), "");
  std::printf("\n");
}

void print_kinds(const Setting& setting, const Outcome& ours, const Outcome& theirs) {
  std::printf(
      "By kind, ours / theirs; pages and warnings are per 1,000 weeks of claims of the kind:\n\n"
      "| kind | fill-ups | warned 4 h ahead, %% | median lead, h | false pages | warnings | "
      "true, %% |\n| --- | --- | --- | --- | --- | --- | --- |\n");
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    const Score& us = ours.scores.by_kind[i];
    const Score& them = theirs.scores.by_kind[i];
    if (us.claims == 0) continue;
    const auto rate = [&](int count) { return per_thousand_weeks(setting, count, us.claims); };
    std::printf("| %s | %zu | ", kKinds[i].name, us.lead.size());
    const auto all = static_cast<double>(us.lead.size());
    if (us.lead.empty()) {
      std::printf("– | – | ");
    } else {
      std::printf("%.1f / %.1f | %.1f / %.1f | ", percent(us.in_time, all),
                  percent(them.in_time, all), bench::median(us.lead), bench::median(them.lead));
    }
    const auto truth = [](const Counts& counts) {
      return percent(counts.all() - counts.none, counts.all());
    };
    std::printf("%.2f / %.2f | %.1f / %.1f | %.0f / %.0f |\n", rate(us.pages.none),
                rate(them.pages.none), rate(us.warnings.all()), rate(them.warnings.all()),
                truth(us.warnings), truth(them.warnings));
  }
  std::printf("\n");
}

void print_alerts(const Outcome& outcome) {
  std::printf("%s, alert by alert:\n\n", outcome.policy.name.c_str());
  std::printf(
      "| alert | within a day of being full | tight | leaking, early | false | of kinds |\n");
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
  for (std::size_t i = 0; i < outcome.policy.alerts.size(); ++i) {
    Counts sum;
    std::string kinds;
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
      const Counts& counts = outcome.scores.by_alert[i][kind];
      sum.add(counts);
      if (counts.none == 0) continue;
      kinds += (kinds.empty() ? "" : ", ") + std::string(kKinds[kind].name) + " " +
               std::to_string(counts.none);
    }
    if (sum.all() == 0) continue;
    const Alert& alert = outcome.policy.alerts[i];
    std::printf("| %s, %s%s | %d | %d | %d | %d | %s |\n", alert.name.c_str(),
                alert.severity.c_str(), alert.pages ? ", pages" : "", sum.urgent, sum.tight,
                sum.early, sum.none, kinds.c_str());
  }
  std::printf("\n");
}

}  // namespace volumeter::backtest
