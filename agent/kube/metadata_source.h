// Keeps the names of this node's pods and claims, in a thread of its own: an API server that is
// slow or gone delays names, never a measurement.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "kube/api_client.h"
#include "kube/metadata.h"
#include "volumeter/snapshot.h"

namespace volumeter {

struct MetadataOptions {
  ApiOptions api;
  std::string node_name;                    // whose pods to ask for
  std::chrono::seconds refresh{30};         // pods; jittered by a fifth
  std::chrono::seconds claim_refresh{300};  // claims, their volumes and classes
};

// The last good metadata, and whether the API server answers now.
struct MetadataState {
  Metadata metadata;
  SourceState source;
};

class MetadataSource {
 public:
  // Starts the thread; does nothing at all when options.api.url is empty.
  explicit MetadataSource(MetadataOptions options);
  ~MetadataSource();  // aborts a request under way; takes at most about a second
  MetadataSource(const MetadataSource&) = delete;
  MetadataSource& operator=(const MetadataSource&) = delete;

  [[nodiscard]] bool configured() const { return !options_.api.url.empty(); }

  // Any thread; never blocks on the network. Null before the first attempt has ended.
  [[nodiscard]] std::shared_ptr<const MetadataState> current() const;

  // Asks for a refresh soon (at most one a second): a pod has appeared that has no name.
  void refresh_soon();

  // Waits for the first attempt to end, or for `limit`.
  void wait_first(std::chrono::milliseconds limit);

 private:
  void run();
  MetadataState load(const MetadataState& previous);

  const MetadataOptions options_;
  ApiClient client_;  // the thread's only
  std::optional<std::chrono::steady_clock::time_point> claims_loaded_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable loaded_;
  std::shared_ptr<const MetadataState> current_;  // guarded by mutex_
  bool stop_ = false;                             // guarded by mutex_
  bool soon_ = false;                             // guarded by mutex_
  std::thread thread_;
};

}  // namespace volumeter
