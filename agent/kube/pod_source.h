// The pods of this node: listed once and then watched at the API server, or asked of the kubelet
// again and again, which can't be watched.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/parse.h"

namespace volumeter {

struct PodSourceOptions {
  std::string node_name;
  bool kubelet = false;        // ask a kubelet's /pods, every `refresh`
  Seconds refresh{30};         // of a kubelet
  Seconds watch_timeout{450};  // the server ends the watch after about this; then it goes on
  Seconds backoff_unit{1};
};

// Belongs to the thread of its ApiClient.
class PodSource {
 public:
  using Clock = std::chrono::steady_clock;

  PodSource(ApiClient& client, PodSourceOptions options);

  void start_due(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_due() const;
  // A kubelet is asked again within a second; a watch brings news by itself.
  void refresh_soon();

  [[nodiscard]] const std::map<std::string, PodMetadata>& pods() const { return pods_; }  // by uid
  // Changes whenever pods() does.
  [[nodiscard]] std::size_t version() const { return version_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // When pods() was last known to be true: an answer, an event or a bookmark.
  [[nodiscard]] std::optional<std::chrono::system_clock::time_point> confirmed() const {
    return confirmed_;
  }
  // The first list has ended, for good or ill.
  [[nodiscard]] bool tried() const { return tried_; }

 private:
  void start_list();
  void start_watch();
  void listed(const ApiAnswer& answer);
  bool keep_once(std::map<std::string, PodMetadata>& fresh);
  bool event(std::string_view line);  // false: nothing more that makes sense will come
  void watch_ended(const ApiAnswer& answer);
  void confirm();
  void fail(const std::string& problem, std::optional<std::chrono::seconds> retry_after);
  void try_in(Seconds pause);

  ApiClient& client_;
  const PodSourceOptions options_;
  std::minstd_rand random_{std::random_device{}()};
  Backoff backoff_;
  std::map<std::string, PodMetadata> pods_;
  std::string resource_version_;  // to watch from; empty: list first
  Clock::time_point due_{};
  Clock::time_point started_{};
  bool under_way_ = false;
  std::string event_problem_;  // that an event of the watch under way told
  bool stale_version_ = false;
  bool answered_ = false;  // the watch under way has sent an event
  std::string problem_;
  std::optional<std::chrono::system_clock::time_point> confirmed_;
  bool tried_ = false;
  std::set<std::string> missing_;  // pods that a kubelet's last list lacked
  std::size_t version_ = 0;
};

}  // namespace volumeter
