// What Alertmanager has told whom: Slack's and PagerDuty's messages, as those services get them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "support/webhook.h"

namespace volumeter::test {

struct Notification {
  std::chrono::steady_clock::time_point when;
  std::string to;  // "chat", "pager", "escalation"
  bool firing = false;
  std::string text;  // all that people read of it
};
std::vector<Notification> read_notifications(const Webhook& webhook);

// The repository's alertmanager.yaml with the webhook where Slack and PagerDuty are, secrets in
// `directory`, and working hours at any time; all else as it is.
std::string rewired_alertmanager(const Webhook& webhook, const std::string& directory);

}  // namespace volumeter::test
