#include "kube/metadata_source.h"

#include <functional>
#include <random>
#include <set>
#include <utility>

#include "volumeter/log.h"

namespace volumeter {
namespace {

using std::chrono::steady_clock;

// An object that is gone (404) is not a failure: its name leaves. Any other error keeps the old.
template <class T>
Status fetch(ApiClient& client, const std::string& path,
             const std::function<Result<T>(const std::string&)>& parse,
             const std::function<void(std::optional<T>)>& store) {
  auto body = client.get(path);
  if (!body) {
    if (body.error().code != 404) return body.error();
    store(std::nullopt);
    return Done{};
  }
  auto parsed = parse(*body);
  if (!parsed) return Error{"GET " + path + ": " + parsed.error().message};
  store(std::move(parsed).value());
  return Done{};
}

template <class Map, class Key>
auto storer(Map& map, const Key& key) {
  return [&map, key](auto value) {
    if (value) {
      map[key] = std::move(*value);
    } else {
      map.erase(key);
    }
  };
}

std::string pods_path(const std::string& node) {
  // resourceVersion=0: served from the API server's cache, no etcd read.
  return "/api/v1/pods?resourceVersion=0&fieldSelector=" + percent_encode("spec.nodeName=" + node);
}

std::string claim_path(const ObjectKey& key) {
  return "/api/v1/namespaces/" + percent_encode(key.first) + "/persistentvolumeclaims/" +
         percent_encode(key.second) + "?resourceVersion=0";
}

// One load of everything this node uses, into a copy of what was known.
class Load {
 public:
  Load(ApiClient& client, Metadata known, bool everything)
      : client_(client), out_(std::move(known)), everything_(everything) {}

  Status pods(const std::string& node) {
    const std::string path = pods_path(node);
    auto body = client_.get(path);
    if (!body) return body.error();
    auto list = parse_pod_list(*body);
    if (!list) return Error{"GET " + path + ": " + list.error().message};
    out_.pods.clear();
    for (PodMetadata& pod : *list) {
      for (const PodVolume& volume : pod.volumes) {
        if (!volume.claim_name.empty()) used_.insert({pod.pod.namespace_, volume.claim_name});
      }
      out_.pods[pod.pod.uid] = std::move(pod);
    }
    return Done{};
  }

  void claims() {
    for (const ObjectKey& key : used_) {
      if (unreachable_) return;  // each further request would take its whole timeout
      claim(key);
    }
    complete_ = true;
    std::erase_if(out_.claims, [&](const auto& item) { return !used_.contains(item.first); });
    std::erase_if(out_.persistent_volumes,
                  [&](const auto& item) { return !used_volumes_.contains(item.first); });
  }

  Metadata out() && { return std::move(out_); }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] bool complete() const { return complete_; }  // each claim has been asked for

 private:
  void claim(const ObjectKey& key) {
    if (everything_ || !out_.claims.contains(key) || out_.claims[key].persistent_volume.empty()) {
      note(fetch<ClaimMetadata>(client_, claim_path(key), parse_claim, storer(out_.claims, key)));
    }
    const auto found = out_.claims.find(key);
    if (found == out_.claims.end() || found->second.persistent_volume.empty()) return;
    const std::string& volume = found->second.persistent_volume;
    used_volumes_.insert(volume);
    if (everything_ || !out_.persistent_volumes.contains(volume)) {
      note(fetch<PersistentVolumeMetadata>(
          client_, "/api/v1/persistentvolumes/" + percent_encode(volume) + "?resourceVersion=0",
          parse_persistent_volume, storer(out_.persistent_volumes, volume)));
    }
    const std::string& storage_class = found->second.storage_class;
    if (!storage_class.empty() && seen_classes_.insert(storage_class).second &&
        (everything_ || !out_.storage_classes.contains(storage_class))) {
      note(fetch<StorageClassMetadata>(client_,
                                       "/apis/storage.k8s.io/v1/storageclasses/" +
                                           percent_encode(storage_class) + "?resourceVersion=0",
                                       parse_storage_class,
                                       storer(out_.storage_classes, storage_class)));
    }
  }

  void note(const Status& status) {
    if (status) return;
    if (problem_.empty()) problem_ = status.error().message;
    if (status.error().code == 0) unreachable_ = true;
  }

  ApiClient& client_;
  Metadata out_;
  bool everything_;
  std::set<ObjectKey> used_;
  std::set<std::string> used_volumes_;
  std::set<std::string> seen_classes_;
  std::string problem_;
  bool unreachable_ = false;
  bool complete_ = false;
};

}  // namespace

MetadataSource::MetadataSource(MetadataOptions options)
    : options_(std::move(options)), client_(options_.api) {
  if (configured()) thread_ = std::thread([this] { run(); });
}

MetadataSource::~MetadataSource() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  client_.abort();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const MetadataState> MetadataSource::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void MetadataSource::refresh_soon() {
  {
    const std::lock_guard lock(mutex_);
    soon_ = true;
  }
  wake_.notify_all();
}

void MetadataSource::wait_first(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (configured()) loaded_.wait_for(lock, limit, [&] { return current_ != nullptr; });
}

MetadataState MetadataSource::load(const MetadataState& previous) {
  const auto now = steady_clock::now();
  const bool everything = !claims_loaded_ || now - *claims_loaded_ > options_.claim_refresh;
  MetadataState next = previous;
  next.source.source = "apiserver";
  Load load(client_, previous.metadata, everything);
  const Status pods = load.pods(options_.node_name);
  if (pods) load.claims();
  next.source.problem = pods ? load.problem() : pods.error().message;
  next.source.up = next.source.problem.empty();
  if (everything && load.complete()) claims_loaded_ = now;
  if (pods) next.metadata = std::move(load).out();
  if (next.source.up) {
    next.source.last_success = std::chrono::system_clock::now();
  }
  return next;
}

void MetadataSource::run() {
  std::minstd_rand random(std::random_device{}());
  MetadataState state;
  bool first = true;
  for (;;) {
    MetadataState next = load(state);
    if (next.source.problem != state.source.problem || first) {
      if (next.source.up) {
        log(LogLevel::kInfo, "API server answers",
            {{"pods", std::to_string(next.metadata.pods.size())},
             {"claims", std::to_string(next.metadata.claims.size())}});
      } else {
        log(LogLevel::kWarn, "no names from the API server: keeping those known",
            {{"error", next.source.problem}});
      }
    }
    first = false;
    state = std::move(next);

    std::unique_lock lock(mutex_);
    current_ = std::make_shared<const MetadataState>(state);
    loaded_.notify_all();
    // At most one load a second, whatever asks for it.
    if (wake_.wait_for(lock, std::chrono::seconds(1), [&] { return stop_; })) return;
    const auto pause = std::chrono::duration<double>(options_.refresh) *
                       std::uniform_real_distribution(0.8, 1.2)(random);
    wake_.wait_for(lock, pause, [&] { return stop_ || soon_; });
    if (stop_) return;
    soon_ = false;
  }
}

}  // namespace volumeter
