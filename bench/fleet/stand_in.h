// A stand-in for the API server of a large cluster: every node has the same number of pods and
// claims, made up from its name out of objects that a real one has sent. Over real HTTP on a
// loopback address, for thousands of clients and their watches at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

struct MHD_Connection;
struct MHD_Daemon;

namespace volumeter::bench {

struct Traffic {
  std::map<std::string, std::uint64_t> requests;  // "list pods", "watch pods", "get claims", ...
  std::map<std::int64_t, std::uint64_t> by_second;
  std::uint64_t bytes = 0;  // of bodies, as sent

  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] std::uint64_t peak() const;  // of a second
};

class StandIn {
 public:
  static constexpr int kPodsWithClaims = 5;  // a node
  static constexpr int kOtherPods = 20;
  static constexpr int kClaimsOfAPod = 2;

  // Bookmarks come as often as `bookmarks`; Kubernetes': about a minute.
  explicit StandIn(std::chrono::milliseconds bookmarks);
  ~StandIn();
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  [[nodiscard]] int port() const { return port_; }  // of 127.0.0.1
  // As when it is restarted: connections break, later ones are refused until it is started.
  void stop();
  void start();
  // 429 for everything, and when to come again.
  void refuse(bool on) { refusing_ = on; }

  // What came since the last call.
  Traffic take_traffic();
  [[nodiscard]] int open_watches() const { return watches_; }

  struct Watch;
  struct Body {
    int status = 200;
    std::string text;
  };

 private:
  friend struct Handler;
  void serve();
  void tend_watches();
  Body answer(const std::string& path, const std::string& node);
  void count(const std::string& what, std::size_t bytes);

  const std::chrono::milliseconds bookmarks_;
  std::string pod_with_claims_;
  std::string other_pod_;
  std::string claim_;
  MHD_Daemon* daemon_ = nullptr;
  std::uint16_t port_ = 0;
  std::atomic<bool> refusing_{false};
  std::atomic<bool> ending_{false};
  std::atomic<int> watches_{0};
  std::mutex mutex_;
  Traffic traffic_;
  std::set<Watch*> sleeping_;
  std::jthread tender_;
};

}  // namespace volumeter::bench
