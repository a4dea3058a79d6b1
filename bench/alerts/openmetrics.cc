#include "bench/alerts/openmetrics.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace volumeter::backtest {
namespace {

class Writer {
 public:
  explicit Writer(const std::string& path) : file_(path, std::ios::binary) {}

  void sample(std::string_view series, double value, std::int64_t time) {
    text_.append(series);
    number(value);
    text_ += ' ';
    number(time);
    text_ += '\n';
    if (text_.size() > (1U << 20U)) flush();
  }
  void line(std::string_view text) {
    text_.append(text);
    text_ += '\n';
  }
  void close() {
    flush();
    file_.close();
    if (!file_) throw std::runtime_error("cannot write samples");
  }

 private:
  template <typename Number>
  void number(Number value) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    text_.append(digits.data(), end.ptr);
  }
  void flush() {
    file_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
    text_.clear();
  }

  std::ofstream file_;
  std::string text_;
};

struct Family {
  const char* name;
  double (*value)(const Claim&, int step);
};

constexpr std::array<Family, 6> kFamilies{{
    {"volumeter_volume_usage_ratio",
     [](const Claim& claim, int step) { return claim.used[step] / claim.capacity[step]; }},
    {"volumeter_volume_stats_used_bytes",
     [](const Claim& claim, int step) { return claim.used[step]; }},
    {"volumeter_volume_stats_available_bytes",
     [](const Claim& claim, int step) { return claim.available(step); }},
    {"volumeter_volume_stats_capacity_bytes",
     [](const Claim& claim, int step) { return claim.capacity[step]; }},
    {"volumeter_volume_info", [](const Claim& /*claim*/, int /*step*/) { return 1.0; }},
    {"volumeter_volume_capacity_enforced",
     [](const Claim& /*claim*/, int /*step*/) { return 1.0; }},
}};

std::string labels(const Claim& claim, int node, bool all) {
  const std::string number = std::to_string(node);
  const std::string volume = "pvc-" + claim.name_space + "-" + claim.name;
  std::string text = "{cluster=\"prod\",node=\"node-" + number +
                     "\",job=\"volumeter\",instance=\"10.0.0." + number + ":9100\",namespace=\"" +
                     claim.name_space + "\",persistentvolumeclaim=\"" + claim.name + "\"";
  if (all) {
    text += ",persistentvolume=\"" + volume + "\",storageclass=\"" + claim.storageclass +
            "\",csi_driver=\"" + claim.csi_driver + "\",volume_handle=\"vol-" + claim.name +
            "\",fstype=\"" + claim.fstype +
            "\",volume_mode=\"Filesystem\",reclaim_policy=\"Delete\",device=\"\"";
  }
  return text + "} ";
}

bool away(const std::vector<Gap>& gaps, int step) {
  return std::any_of(gaps.begin(), gaps.end(),
                     [&](const Gap& gap) { return step >= gap.from && step < gap.until; });
}

}  // namespace

void write_samples(const Cluster& cluster, int from, int until, const std::string& path) {
  Writer writer(path);
  for (const Family& family : kFamilies) {
    const std::string name = family.name;
    writer.line("# TYPE " + name + " gauge");
    for (const Claim& claim : cluster.claims) {
      for (std::size_t n = 0; n < claim.nodes.size(); ++n) {
        const int node = claim.nodes[n];
        const std::string series = name + labels(claim, node, name == "volumeter_volume_info");
        const int late = static_cast<int>(n);  // the second node's cache is a sample old
        for (int i = from; i < until; ++i) {
          if (away(cluster.gaps[node], i)) continue;
          writer.sample(series, family.value(claim, std::max(0, i - late)), kEpoch + i * kStep);
        }
      }
    }
  }
  writer.line("# EOF");
  writer.close();
}

}  // namespace volumeter::backtest
