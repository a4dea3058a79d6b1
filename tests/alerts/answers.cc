#include "alerts/answers.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

#include "support/agent.h"
#include "support/node.h"

namespace volumeter::test {
namespace {

using namespace std::chrono_literals;

std::set<std::string> keys_of(const std::string& path) {
  std::set<std::string> keys;
  for (const auto& one : YAML::LoadFile(path)) keys.insert(one.first.as<std::string>());
  return keys;
}

}  // namespace

std::vector<std::string> rule_files() {
  std::vector<std::string> all;
  for (const std::string name : {"recording", "volumes", "agent", "cluster"}) {
    all.push_back(SOURCE_DIR "/alerts/" + name + ".yaml");
  }
  return all;
}

void expect_rules_answer(const Prometheus& prometheus) {
  std::set<std::string> silent;
  std::set<std::string> answered;
  for (const std::string& file : rule_files()) {
    for (const YAML::Node& group : YAML::LoadFile(file)["groups"]) {
      for (const YAML::Node& rule : group["rules"]) {
        const std::string name =
            rule["alert"] ? rule["alert"].as<std::string>() : rule["record"].as<std::string>();
        std::string error;
        const bool any = !prometheus.query(rule["expr"].as<std::string>(), &error).empty();
        EXPECT_EQ(error, "") << name;
        (any ? answered : silent).insert(name);
      }
    }
  }
  const std::set<std::string> listed = keys_of(SOURCE_DIR "/tests/alerts/quiet_rules.yaml");
  for (const std::string& name : listed) {
    EXPECT_TRUE(silent.contains(name) || answered.contains(name))
        << name << " is listed, and there is no such rule";
  }
  for (const std::string& name : silent) {
    EXPECT_TRUE(answered.contains(name) || listed.contains(name)) << name << " finds nothing";
  }
}

void expect_panels_answer(const Prometheus& prometheus) {
  const Output output = run({"node", SOURCE_DIR "/dashboards/src/queries.mjs", "--cluster", "test",
                             "--namespace", "shop", "--persistentvolumeclaim", "data-orders-0",
                             "--node", "demo-node", "--statefulset", "orders"});
  ASSERT_EQ(output.code, 0) << output.text;
  std::set<std::string> quiet = keys_of(SOURCE_DIR "/dashboards/quiet_queries.yaml");
  const YAML::Node all = YAML::Load(output.text);  // JSON is YAML
  ASSERT_GE(all.size(), 200U);
  for (const YAML::Node& query : all) {
    const auto part = [&](const char* name) { return query[name].as<std::string>(); };
    const std::string name = part("dashboard") + "/" + part("panel") + "/" + part("ref");
    std::string error;
    const auto answers = [&] {
      return !prometheus.query(part("expr"), &error).empty() || !error.empty();
    };
    const bool listed = quiet.erase(name) > 0;
    const bool any = listed ? (answers(), true) : eventually(answers, 4min);
    EXPECT_EQ(error, "") << name;
    EXPECT_TRUE(any) << name << " finds nothing: " << part("expr");
  }
  for (const std::string& name : quiet) ADD_FAILURE() << name << " is listed, and not asked for";
}

}  // namespace volumeter::test
