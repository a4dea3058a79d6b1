// Claims, their PersistentVolumes and StorageClasses, and namespaces: fetched by name, each on its
// own jittered clock, and only while a pod of this node uses it. Never listed.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "kube/api_client.h"
#include "kube/backoff.h"
#include "kube/metadata.h"

namespace volumeter {

struct ObjectOptions {
  // A claim's requested size and annotations can change at any time; a volume's and a class's
  // hardly ever do.
  Seconds claim_refresh{600};
  Seconds volume_refresh{3600};
  Seconds growing_refresh{60};  // of both, while an expansion is under way
  Seconds backoff_unit{1};
};

// Belongs to the thread of its ApiClient.
class NamedObjects {
 public:
  using Clock = std::chrono::steady_clock;

  NamedObjects(ApiClient& client, ObjectOptions options);

  // What the pods use: their claims, with the uids of those that use each, and namespaces. What is
  // no longer used is forgotten; a claim that a new pod uses is asked for again, because another
  // may stand under its name.
  void want(const std::map<ObjectKey, std::set<std::string>>& claims,
            const std::set<std::string>& namespaces);

  void start_due(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_due() const;

  // The claim, and what it leads to, have been asked for; or can't be at present.
  [[nodiscard]] bool settled(const ObjectKey& claim) const;

  // Fills all but pods. What isn't there or can't be read is absent; what could be read once stays.
  void fill(Metadata& out) const;
  // Changes whenever fill() would give something else, or settled() another answer.
  [[nodiscard]] std::size_t version() const { return version_; }
  // By resource; empty when everything answers.
  [[nodiscard]] std::map<std::string, std::string> problems() const;
  // When something was last answered; nothing before that.
  [[nodiscard]] std::optional<std::chrono::system_clock::time_point> answered() const {
    return answered_;
  }

 private:
  enum class Resource { kClaim, kVolume, kClass, kNamespace };
  struct Id {
    Resource resource;
    std::string namespace_;
    std::string name;
    auto operator<=>(const Id&) const = default;
  };
  struct Entry {
    Clock::time_point due{};
    Backoff backoff;
    bool tried = false;
    bool under_way = false;
    bool failing = false;  // its last request failed
    std::string problem;   // its own: an answer that makes no sense, an odd status
  };

  static std::string resource_name(Resource resource);
  static std::string path_of(const Id& id);  // without a query
  void follow();
  void ask_anew(const Id& claim);
  void forgive();
  void start(const Id& id);
  void finished(const Id& id, const ApiAnswer& answer);
  [[nodiscard]] Seconds succeeded(const Id& id, Entry& entry, const ApiAnswer& answer);
  [[nodiscard]] Seconds failed(const Id& id, Entry& entry, const ApiAnswer& answer);
  // When `resource` may be asked for again; in the past when it may now.
  [[nodiscard]] Clock::time_point allowed_at(Resource resource) const;
  [[nodiscard]] Seconds refresh(Resource resource) const;
  bool follow_expansion(const ClaimMetadata& claim);
  bool store(const Id& id, const std::string& body, std::string& problem);
  void forget(const Id& id);
  [[nodiscard]] bool tried(const Id& id) const;

  ApiClient& client_;
  const ObjectOptions options_;
  std::minstd_rand random_{std::random_device{}()};
  std::set<Id> roots_;
  std::map<ObjectKey, std::set<std::string>> users_;
  std::optional<std::chrono::system_clock::time_point> answered_;
  std::map<Id, Entry> entries_;
  Metadata known_;  // without pods
  // Why, and until when, nothing is asked for: of a resource that is forbidden, and of all of them
  // while the server fails.
  struct Pause {
    Clock::time_point until{};
    std::string resource;
    std::string problem;
    int status = 0;
  };
  std::map<Resource, Pause> forbidden_;
  std::optional<Pause> server_failure_;
  Backoff server_backoff_;
  std::size_t under_way_ = 0;
  std::size_t version_ = 0;
};

}  // namespace volumeter
