#include "alerts/notifications.h"

#include <yaml-cpp/yaml.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace volumeter::test {
namespace {

using Json = nlohmann::json;

Notification of_slack(const Json& message) {
  Notification out;
  const Json& attachment = message.at("attachments").at(0);
  const auto title = attachment.at("title").get<std::string>();
  out.firing = title.starts_with("FIRING");
  out.text = title + "\n" + attachment.at("text").get<std::string>();
  return out;
}

Notification of_pagerduty(const Json& message) {
  Notification out;
  out.firing = message.at("event_action") == "trigger";
  out.text = message.value("dedup_key", "");
  if (out.firing) out.text = message.at("payload").dump();
  return out;
}

}  // namespace

std::vector<Notification> read_notifications(const Webhook& webhook) {
  std::vector<Notification> all;
  for (const Webhook::Post& post : webhook.posts()) {
    const Json message = Json::parse(post.body);
    Notification one = message.contains("attachments") ? of_slack(message) : of_pagerduty(message);
    one.when = post.when;
    one.to = post.path.substr(1);
    all.push_back(std::move(one));
  }
  return all;
}

std::string rewired_alertmanager(const Webhook& webhook, const std::string& directory) {
  YAML::Node all = YAML::LoadFile(SOURCE_DIR "/alerts/alertmanager.yaml");
  std::ofstream(directory + "/chat-url") << webhook.url("/chat");
  std::ofstream(directory + "/pager-key") << "0123456789abcdef0123456789abcdef";
  for (YAML::Node receiver : all["receivers"]) {
    for (YAML::Node slack : receiver["slack_configs"]) {
      slack["api_url_file"] = directory + "/chat-url";
    }
    for (YAML::Node pager : receiver["pagerduty_configs"]) {
      pager["routing_key_file"] = directory + "/pager-key";
      pager["url"] = webhook.url("/" + receiver["name"].as<std::string>());
    }
  }
  YAML::Node always;
  always["times"][0]["start_time"] = "00:00";
  always["times"][0]["end_time"] = "24:00";
  all["time_intervals"][0]["time_intervals"] = YAML::Node(YAML::NodeType::Sequence);
  all["time_intervals"][0]["time_intervals"].push_back(always);
  return YAML::Dump(all);
}

}  // namespace volumeter::test
