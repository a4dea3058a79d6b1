// Which node walks a network share that several of them mount: the one that holds the claim's Lease
// (coordination.k8s.io/v1), taken and renewed as controllers elect their leader (client-go,
// tools/leaderelection). A node that goes away loses it after `duration`.
//
// Only for claims that were annotated for it: one small request per claim, node and `renew`.
#pragma once

#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>

#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/metadata.h"

namespace volumeter {

struct LeaseOptions {
  std::string namespace_;  // of the Leases: the agent's own; empty: none can be had
  std::string holder;      // this node
  Seconds duration{900};   // whole seconds
  Seconds renew{300};
  Seconds backoff_unit{1};
};

// Belongs to the thread of its ApiClient.
class WalkLeases {
 public:
  using Clock = std::chrono::steady_clock;

  WalkLeases(ApiClient& client, LeaseOptions options);

  // The claims whose shares this node would walk. What is no longer wanted is left to expire.
  void want(const std::set<ObjectKey>& claims);
  void start_due(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_due() const;

  // Those that this node may walk now.
  [[nodiscard]] std::set<ObjectKey> held() const;
  // Changes whenever held() does, but for a Lease that runs out.
  [[nodiscard]] std::size_t version() const { return version_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  // The name of a claim's Lease: a hash, because both names together can be too long for one.
  static std::string name_of(const ObjectKey& claim);

 private:
  struct Entry {
    Clock::time_point due{};
    Clock::time_point held_until{};
    bool under_way = false;
    std::string seen;  // holder and time of renewal, as last read
    Clock::time_point seen_at{};
    Backoff backoff;
  };

  void start(const ObjectKey& claim);
  void got(const ObjectKey& claim, const ApiAnswer& answer);
  void take(const ObjectKey& claim, const std::string& lease);
  void send(const ObjectKey& claim, const std::string& verb, const std::string& body);
  void took(const ObjectKey& claim, const ApiAnswer& answer);
  void later(Entry& entry, Seconds pause);
  void failed(Entry& entry, const ApiAnswer& answer);
  Entry* entry_of(const ObjectKey& claim);
  [[nodiscard]] std::string collection() const;

  ApiClient& client_;
  const LeaseOptions options_;
  std::minstd_rand random_{std::random_device{}()};
  std::map<ObjectKey, Entry> entries_;
  std::string problem_;
  std::size_t version_ = 0;
};

}  // namespace volumeter
