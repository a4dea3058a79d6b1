#include "kube/kubelet_health.h"

#include <optional>
#include <utility>

#include "volumeter/log.h"

namespace volumeter {
namespace {

constexpr std::string_view kFamily = "kubelet_volume_stats_health_status_abnormal{";
constexpr auto kNeverWhileAsked = std::chrono::hours(1);

// The value of `name` in "a="x",b="y"" (Prometheus' text format: \\, \" and \n are escaped).
std::optional<std::string> label(std::string_view labels, std::string_view name) {
  std::size_t at = 0;
  while (at < labels.size()) {
    const auto equals = labels.find("=\"", at);
    if (equals == std::string_view::npos) return std::nullopt;
    std::string value;
    std::size_t i = equals + 2;
    for (; i < labels.size() && labels[i] != '"'; ++i) {
      if (labels[i] == '\\' && i + 1 < labels.size()) {
        ++i;
        value += labels[i] == 'n' ? '\n' : labels[i];
      } else {
        value += labels[i];
      }
    }
    if (labels.substr(at, equals - at) == name) return value;
    at = i + 2;  // the quote and the comma
  }
  return std::nullopt;
}

// Where the labels end: a '}' outside of quotes.
std::size_t end_of_labels(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == '}' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::map<ObjectKey, bool> parse_kubelet_health(std::string_view metrics) {
  std::map<ObjectKey, bool> out;
  while (!metrics.empty()) {
    const auto newline = metrics.find('\n');
    std::string_view line = metrics.substr(0, newline);
    metrics = newline == std::string_view::npos ? std::string_view() : metrics.substr(newline + 1);
    if (!line.starts_with(kFamily)) continue;
    line.remove_prefix(kFamily.size());
    const auto end = end_of_labels(line);
    if (end == std::string_view::npos || end + 2 >= line.size()) continue;
    const auto space = label(line.substr(0, end), "namespace");
    const auto claim = label(line.substr(0, end), "persistentvolumeclaim");
    const char value = line[end + 2];
    if (space && claim && (value == '0' || value == '1')) out[{*space, *claim}] = value == '1';
  }
  return out;
}

KubeletHealth::KubeletHealth(ApiClient& client, KubeletHealthOptions options)
    : client_(client), options_(options) {}

KubeletHealth::Clock::time_point KubeletHealth::next_due() const {
  return under_way_ ? Clock::now() + kNeverWhileAsked : due_;
}

void KubeletHealth::start_due(Clock::time_point now) {
  if (under_way_ || due_ > now) return;
  under_way_ = true;
  client_.start({.resource = "metrics", .verb = "get", .path = "/metrics"},
                [this](const ApiAnswer& answer) { finished(answer); });
}

void KubeletHealth::finished(const ApiAnswer& answer) {
  under_way_ = false;
  if (answer.problem != problem_ && !answer.problem.empty()) {
    log(LogLevel::kInfo, "the kubelet's word on volumes' health can't be read",
        {{"error", answer.problem}});
  }
  problem_ = answer.problem;
  // What can't be read any more isn't known any more.
  abnormal_ = problem_.empty() ? parse_kubelet_health(answer.body) : std::map<ObjectKey, bool>();
  const Seconds pause = abnormal_.empty() ? options_.refresh_of_none : options_.refresh;
  due_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(jittered(pause, random_));
}

}  // namespace volumeter
