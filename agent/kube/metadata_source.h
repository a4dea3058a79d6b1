// Keeps the names of this node's pods and claims, in a thread of its own: an API server that is
// slow or gone delays names, never a measurement.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/unique_fd.h"
#include "kube/api_client.h"
#include "kube/kubelet_health.h"
#include "kube/metadata.h"
#include "kube/named_objects.h"
#include "kube/pod_source.h"
#include "kube/walk_leases.h"
#include "volumeter/snapshot.h"

namespace volumeter {

struct MetadataOptions {
  ApiOptions api;      // url empty: no names of claims
  ApiOptions kubelet;  // url empty: pods come from the API server
  PodSourceOptions pods;
  ObjectOptions objects;
  KubeletHealthOptions health;
  LeaseOptions leases;
  bool walks = true;  // false: this agent walks nothing, so it wants no Leases
};

// The last good metadata, and whether its sources answer now. Immutable.
struct MetadataState {
  std::shared_ptr<const Metadata> metadata;  // never null; the same object while nothing changes
  std::vector<SourceState> sources;
  std::vector<RequestStats> requests;
  bool pods_up = false;  // a new pod's name can be expected soon
};

class MetadataSource {
 public:
  // Starts the thread; does nothing at all when there is neither an API server nor a kubelet.
  explicit MetadataSource(MetadataOptions options);
  ~MetadataSource();  // drops what is under way; doesn't wait for the network
  MetadataSource(const MetadataSource&) = delete;
  MetadataSource& operator=(const MetadataSource&) = delete;

  [[nodiscard]] bool configured() const { return thread_.joinable(); }

  // Any thread; never blocks on the network. Null before the first attempt has ended.
  [[nodiscard]] std::shared_ptr<const MetadataState> current() const;

  // Readable when current()'s metadata has changed; whoever waits reads it empty (an eventfd).
  [[nodiscard]] int changed_fd() const { return changed_.get(); }

  // A pod has appeared that has no name: a kubelet is asked again. Any thread.
  void refresh_soon();

  // Waits for the first attempt to end, or for `limit`.
  void wait_first(std::chrono::milliseconds limit);

 private:
  struct Thread;  // what belongs to the thread alone
  void publish(std::shared_ptr<const MetadataState> state, bool changed);

  UniqueFd changed_;
  std::unique_ptr<Thread> own_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> soon_{false};
  mutable std::mutex mutex_;
  std::condition_variable loaded_;
  std::shared_ptr<const MetadataState> current_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace volumeter
