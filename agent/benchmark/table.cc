#include <array>
#include <cstdio>
#include <cstring>

#include "benchmark/report.h"
#include "host/host.h"

namespace volumeter {
namespace {

template <class... T>
std::string format(const char* pattern, T... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string scaled(double value, double base, const std::array<const char*, 5>& units) {
  std::size_t unit = 0;
  while (value >= base && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  const int digits = value >= 100 || unit == 0 ? 0 : value >= 10 ? 1 : 2;
  return format("%.*f%s", digits, value, units[unit]);
}

std::string latency_row(const std::string& head, const char* what, const LatencyCounts& counts) {
  if (counts.count() == 0) return {};
  const auto at = [&](double percent) {
    return short_time(static_cast<double>(counts.percentile(percent)));
  };
  return format("%-38s %-10s %9s %9s %9s %9s %9s %9s\n", head.c_str(), what,
                short_time(counts.mean()).c_str(), at(50).c_str(), at(95).c_str(), at(99).c_str(),
                at(99.9).c_str(), short_time(static_cast<double>(counts.max())).c_str());
}

std::string direction_rows(const JobResult& result, const char* name, const DirectionResult& one) {
  if (one.operations() == 0) return {};
  const double bytes = static_cast<double>(one.bytes) / result.seconds;
  const std::string head =
      format("%-10s %-6s %8s %11s", result.spec.name.c_str(), name,
             short_count(result.per_second(one)).c_str(),
             (scaled(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB"}) + "/s").c_str());
  std::string rows = latency_row(head, one.submission.count() > 0 ? "submit" : "total",
                                 one.submission.count() > 0 ? one.submission : one.total);
  if (one.submission.count() == 0) return rows;
  rows += latency_row("", "complete", one.completion);
  return rows + latency_row("", "total", one.total);
}

}  // namespace

std::string short_time(double ns) { return scaled(ns, 1000, {" ns", " us", " ms", " s", " ks"}); }

std::string short_count(double value) { return scaled(value, 1000, {"", "k", "M", "G", "T"}); }

std::string to_bench_table(const BenchTarget& target, const std::vector<JobResult>& results,
                           const std::vector<std::string>& caveats) {
  std::string out = printable(target.path) + ": " +
                    (target.device ? std::string("block device") : target.fstype) + ", " +
                    (results.empty() ? "" : results.front().engine) + "\n\n";
  out += format("%-10s %-6s %8s %11s %-10s %9s %9s %9s %9s %9s %9s\n", "profile", "", "IOPS",
                "bandwidth", "latency", "mean", "p50", "p95", "p99", "p99.9", "max");
  for (const JobResult& result : results) {
    if (result.error != 0) {
      out += result.spec.name + ": " + result.failed + ": " + std::strerror(result.error) + "\n";
    }
    out += direction_rows(result, "read", result.read);
    out += direction_rows(result, "write", result.write);
    if (result.sync.count() > 0) {
      const double rate = static_cast<double>(result.sync.count()) / result.seconds;
      out += latency_row(
          format("%-10s %-6s %8s", result.spec.name.c_str(), "sync", short_count(rate).c_str()),
          "total", result.sync);
    }
  }
  std::string notes;
  for (const std::string& caveat : caveats) notes += "  - " + caveat + "\n";
  for (const JobResult& result : results) {
    if (result.read.short_operations + result.write.short_operations > 0) {
      notes += "  - " + result.spec.name + ": some operations came back short\n";
    }
  }
  return notes.empty() ? out : out + "\nWhat these figures can't vouch for:\n" + notes;
}

}  // namespace volumeter
