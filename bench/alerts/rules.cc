#include "bench/alerts/rules.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>

namespace volumeter::backtest {
namespace {

using Recordings = std::multimap<std::string, std::string>;  // expressions by name

std::int64_t seconds(const YAML::Node& node) {
  if (!node) return 0;
  static const std::map<char, std::int64_t> kUnits{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  const auto text = node.as<std::string>();
  std::size_t used = 0;
  const std::int64_t number = std::stoll(text, &used);
  const auto unit = used + 1 == text.size() ? kUnits.find(text[used]) : kUnits.end();
  if (unit == kUnits.end()) throw std::runtime_error("not a duration: " + text);
  return number * unit->second;
}

Recordings load_recordings(const std::string& path) {
  Recordings all;
  for (const YAML::Node& group : YAML::LoadFile(path)["groups"]) {
    for (const YAML::Node& rule : group["rules"]) {
      if (rule["record"]) {
        all.emplace(rule["record"].as<std::string>(), rule["expr"].as<std::string>());
      }
    }
  }
  return all;
}

std::vector<Alert> load_alerts(const std::string& path) {
  std::vector<Alert> alerts;
  for (const YAML::Node& group : YAML::LoadFile(path)["groups"]) {
    for (const YAML::Node& rule : group["rules"]) {
      const YAML::Node labels = rule["labels"];
      if (!rule["alert"] || !labels["topic"] || labels["topic"].as<std::string>() != "capacity") {
        continue;
      }
      const auto severity = labels["severity"].as<std::string>();
      const bool pages = severity == "critical" &&
                         (!labels["page"] || labels["page"].as<std::string>() != "false");
      alerts.push_back({rule["alert"].as<std::string>(), severity, rule["expr"].as<std::string>(),
                        seconds(rule["for"]), seconds(rule["keep_firing_for"]), pages});
    }
  }
  return alerts;
}

// The recorded names in an expression.
std::set<std::string> names_in(const std::string& expr, const Recordings& recordings) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:";
  std::set<std::string> names;
  for (std::size_t at = 0; (at = expr.find_first_of(letters, at)) != std::string::npos;) {
    const std::size_t end = std::min(expr.find_first_not_of(letters, at), expr.size());
    const std::string word = expr.substr(at, end - at);
    if (recordings.contains(word)) names.insert(word);
    at = end;
  }
  return names;
}

// How many passes it takes until `name` is recorded; notes it, and what it needs, in `passes`.
int pass_of(const std::string& name, const Recordings& recordings,
            std::map<std::string, int>& passes) {
  if (const auto known = passes.find(name); known != passes.end()) return known->second;
  int pass = 0;
  const auto [first, last] = recordings.equal_range(name);
  for (auto rule = first; rule != last; ++rule) {
    for (const std::string& needed : names_in(rule->second, recordings)) {
      if (needed == name) throw std::runtime_error(name + " needs itself");
      pass = std::max(pass, pass_of(needed, recordings, passes) + 1);
    }
  }
  return passes[name] = pass;
}

}  // namespace

Policy our_policy(const std::string& directory) {
  Policy policy{"volumeter", {}, load_alerts(directory + "/volumes.yaml")};
  const Recordings recordings = load_recordings(directory + "/recording.yaml");
  std::map<std::string, int> passes;
  for (const Alert& alert : policy.alerts) {
    for (const std::string& name : names_in(alert.expr, recordings)) {
      pass_of(name, recordings, passes);
    }
  }
  for (const auto& [name, pass] : passes) {
    policy.recordings.resize(std::max<std::size_t>(policy.recordings.size(), pass + 1));
    const auto [first, last] = recordings.equal_range(name);
    for (auto rule = first; rule != last; ++rule) {
      policy.recordings[pass].push_back({name, rule->second});
    }
  }
  return policy;
}

Policy mixin_policy() {
  const std::string share =
      "volumeter_volume_stats_available_bytes / volumeter_volume_stats_capacity_bytes";
  const std::string in_use = " and volumeter_volume_stats_used_bytes > 0";
  const std::string name = "KubePersistentVolumeFillingUp";
  return {
      "kubernetes-mixin",
      {},
      {{name, "critical", share + " < 0.03" + in_use, 60, 0, true},
       {name, "warning",
        share + " < 0.15" + in_use +
            " and predict_linear(volumeter_volume_stats_available_bytes[6h], 4 * 24 * 3600) < 0",
        3600, 0, false}}};
}

void write_rules(const std::vector<Recording>& rules, const std::string& path) {
  YAML::Node group;
  group["name"] = "pass";
  for (const Recording& rule : rules) {
    YAML::Node node;
    node["record"] = rule.name;
    node["expr"] = rule.expr;
    group["rules"].push_back(node);
  }
  YAML::Node file;
  file["groups"].push_back(group);
  std::ofstream(path) << file << '\n';
}

}  // namespace volumeter::backtest
