// The rule files are whole: what each alert must have, and that its tests pass.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "support/process.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

const std::string kAlerts = SOURCE_DIR "/alerts/";
const std::string kDocs = SOURCE_DIR "/docs/";

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> files(const std::string& directory) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(".yaml") && name != "alertmanager.yaml") all.push_back(entry.path());
  }
  std::sort(all.begin(), all.end());
  return all;
}

struct Rule {
  std::string file;
  std::string record;  // or
  std::string alert;
  std::string expression;
  YAML::Node node;
};

std::vector<Rule> rules() {
  std::vector<Rule> all;
  for (const std::string& file : files(kAlerts)) {
    for (const YAML::Node& group : YAML::LoadFile(file)["groups"]) {
      for (const YAML::Node& rule : group["rules"]) {
        all.push_back({file, rule["record"].as<std::string>(""), rule["alert"].as<std::string>(""),
                       rule["expr"].as<std::string>(), rule});
      }
    }
  }
  return all;
}

std::vector<Rule> alerts() {
  std::vector<Rule> all = rules();
  std::erase_if(all, [](const Rule& rule) { return rule.alert.empty(); });
  return all;
}

// Our metrics that an expression reads, without a histogram's suffixes; and recorded names.
std::set<std::string> names_in(const std::string& expression) {
  static const std::regex kName(R"((\w+:)?volumeter_\w+(:\w+)?)");
  static const std::regex kPart("_(bucket|count|sum)$");
  std::set<std::string> names;
  for (std::sregex_iterator it(expression.begin(), expression.end(), kName), end; it != end; ++it) {
    const std::string name = it->str();
    const bool recorded = name.find(':') != std::string::npos;
    names.insert(recorded ? name : std::regex_replace(name, kPart, ""));
  }
  return names;
}

TEST(RulesTest, PrometheusTakesThem) {
  std::vector<std::string> command = {"promtool", "check", "rules"};
  for (const std::string& file : files(kAlerts)) command.push_back(file);
  const Output output = run(command);
  EXPECT_EQ(output.code, 0) << output.text;
}

TEST(RulesTest, EachAlertSaysWhoIsHitHowBadlyAndWhatToDo) {
  ASSERT_GE(alerts().size(), 40U);
  for (const Rule& rule : alerts()) {
    SCOPED_TRACE(rule.alert);
    const auto text = [&](const char* part, const char* name) {
      return rule.node[part][name].as<std::string>("");
    };
    const std::string severity = text("labels", "severity");
    EXPECT_TRUE(severity == "warning" || severity == "critical") << severity;
    EXPECT_NE(text("labels", "topic"), "");
    if (severity == "critical") {
      EXPECT_NE(text("labels", "page"), "") << "true or false";
    }
    EXPECT_NE(text("annotations", "summary"), "");
    const std::string description = text("annotations", "description");
    const bool of_claim = rule.expression.find("persistentvolumeclaim") != std::string::npos &&
                          description.find("$labels.persistentvolumeclaim") != std::string::npos;
    if (of_claim && !rule.file.ends_with("cluster.yaml")) {
      EXPECT_NE(description.find("volumeter_volume_mount_info"), std::string::npos)
          << "names the claim's pods and nodes";
    }
    EXPECT_TRUE(text("annotations", "runbook_url").ends_with("/runbooks/" + rule.alert + ".md"));
    EXPECT_NE(text("annotations", "dashboard_url").find("/d/volumeter-"), std::string::npos);
  }
}

TEST(RulesTest, EachAlertHasARunbookWithAllItsParts) {
  for (const Rule& rule : alerts()) {
    const std::string page = slurp(kDocs + "runbooks/" + rule.alert + ".md");
    EXPECT_TRUE(page.starts_with("# " + rule.alert + "\n")) << rule.alert << " has no runbook";
    for (const std::string part : {"See it", "Now", "For good", "It is over when"}) {
      EXPECT_NE(page.find("\n## " + part + "\n"), std::string::npos) << rule.alert << ": " << part;
    }
  }
  const std::vector<Rule> all = alerts();
  for (const auto& entry : fs::directory_iterator(kDocs + "runbooks")) {
    const std::string name = entry.path().stem();
    EXPECT_TRUE(
        name == "README" ||
        std::any_of(all.begin(), all.end(), [&](const Rule& rule) { return rule.alert == name; }))
        << "a runbook for no alert: " << name;
  }
}

TEST(RulesTest, EachAlertHasARowInTheDocs) {
  const std::string docs = slurp(kDocs + "alerts.md");
  for (const Rule& rule : rules()) {
    const std::string name = rule.alert.empty() ? rule.record : rule.alert;
    EXPECT_NE(docs.find("| `" + name + "` |"), std::string::npos) << name << " has no row";
  }
}

TEST(RulesTest, EachAlertHasATestThatItFiresAndOneThatItDoesNot) {
  std::set<std::string> fires;
  std::set<std::string> does_not;
  for (const std::string& file : files(kAlerts + "tests")) {
    for (const YAML::Node& test : YAML::LoadFile(file)["tests"]) {
      for (const YAML::Node& one : test["alert_rule_test"]) {
        const bool expects = one["exp_alerts"] && one["exp_alerts"].size() > 0;
        (expects ? fires : does_not).insert(one["alertname"].as<std::string>());
      }
    }
  }
  for (const Rule& rule : alerts()) {
    EXPECT_TRUE(fires.contains(rule.alert)) << "no test that fires " << rule.alert;
    EXPECT_TRUE(does_not.contains(rule.alert)) << "no test that doesn't fire " << rule.alert;
  }
}

TEST(RulesTest, TheirTestsPass) {
  std::vector<std::string> command = {"promtool", "test", "rules"};
  for (const std::string& file : files(kAlerts + "tests")) command.push_back(file);
  ASSERT_GT(command.size(), 3U);
  const Output output = run(command);
  EXPECT_EQ(output.code, 0) << output.text;
}

TEST(RulesTest, EachMetricThatTheyReadIsExportedOrRecorded) {
  const std::string docs = slurp(kDocs + "metrics.md");
  std::set<std::string> recorded;
  for (const Rule& rule : rules()) recorded.insert(rule.record);
  for (const Rule& rule : rules()) {
    std::string text = rule.expression;
    for (const auto& annotation : rule.node["annotations"]) {
      text += " " + annotation.second.as<std::string>();
    }
    for (const std::string& name : names_in(text)) {
      const bool is_recorded = name.find(':') != std::string::npos;
      EXPECT_TRUE(is_recorded ? recorded.contains(name)
                              : docs.find("| `" + name + "` |") != std::string::npos)
          << rule.alert << rule.record << " reads " << name << ", which nobody writes";
    }
  }
}

}  // namespace
}  // namespace volumeter::test
