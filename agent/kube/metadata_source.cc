#include "kube/metadata_source.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "volumeter/log.h"

namespace volumeter {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// Events of one moment (a pod's claims, a drained node) are published together.
constexpr auto kGather = 100ms;
constexpr auto kLongestSleep = 60s;
constexpr auto kFirstNames = 3s;

// The same order as find_annotation's (volumeter/inventory.h), before there is an inventory.
bool wants_walk(const Metadata& known, const PodMetadata& pod, const ClaimMetadata& claim) {
  const std::string key = std::string(kAnnotationPrefix) + "walk";
  std::vector<const Annotations*> places = {&claim.claim.annotations, &pod.pod.annotations};
  if (const auto it = known.namespaces.find(pod.pod.namespace_); it != known.namespaces.end()) {
    places.push_back(&it->second.annotations);
  }
  if (const auto it = known.storage_classes.find(claim.storage_class);
      it != known.storage_classes.end()) {
    places.push_back(&it->second.annotations);
  }
  for (const Annotations* annotations : places) {
    const auto it = annotations->find(key);
    if (it != annotations->end()) return it->second == "on";
  }
  return false;
}

}  // namespace

struct MetadataSource::Thread {
  explicit Thread(const MetadataOptions& options)
      : api(loop, options.api),
        kubelet(loop, options.kubelet),
        from_kubelet(!options.kubelet.url.empty()),
        pods(from_kubelet ? kubelet : api, pod_options(options)),
        objects(api, options.objects),
        health(kubelet, options.health),
        leases(api, options.leases),
        walks(options.walks) {}

  static PodSourceOptions pod_options(const MetadataOptions& options) {
    PodSourceOptions pods = options.pods;
    pods.kubelet = !options.kubelet.url.empty();
    return pods;
  }

  [[nodiscard]] bool has_api() const { return !api.options().url.empty(); }

  // Something has come that `metadata` doesn't show yet.
  [[nodiscard]] bool changed() const {
    return pods.version() != pods_version || objects.version() != objects_version ||
           leases.version() != leases_version || leases.held() != metadata->walked_here ||
           health.abnormal() != metadata->abnormal;
  }
  // Starts what is due, and waits until something happened or is due.
  void step();
  // True once there is something to say: names, or why there are none.
  [[nodiscard]] bool tried() const { return pods.tried(); }
  [[nodiscard]] std::shared_ptr<const MetadataState> state();
  // By source and resource.
  [[nodiscard]] std::map<std::string, std::string> problems() const;

  RequestLoop loop;
  ApiClient api;
  ApiClient kubelet;
  const bool from_kubelet;
  PodSource pods;
  NamedObjects objects;
  KubeletHealth health;
  WalkLeases leases;
  const bool walks;
  std::shared_ptr<const Metadata> metadata = std::make_shared<const Metadata>();
  std::size_t pods_version = 0;
  std::size_t objects_version = 0;
  std::size_t leases_version = 0;
  bool pods_wait = false;  // for their claims
  steady_clock::time_point gathered_until{};

 private:
  void want();
  void want_leases(const Metadata& known);
  [[nodiscard]] bool claims_settled(const PodMetadata& pod) const;
  void merge();
  [[nodiscard]] SourceState api_source();
};

void MetadataSource::Thread::want() {
  std::map<ObjectKey, std::set<std::string>> claims;
  std::set<std::string> namespaces;
  for (const auto& [uid, pod] : pods.pods()) {
    for (const PodVolume& volume : pod.volumes) {
      if (volume.claim_name.empty()) continue;
      claims[{pod.pod.namespace_, volume.claim_name}].insert(uid);
      namespaces.insert(pod.pod.namespace_);
    }
  }
  objects.want(claims, namespaces);
}

// Claims that other nodes may mount too, where somebody wants their share walked.
void MetadataSource::Thread::want_leases(const Metadata& known) {
  std::set<ObjectKey> claims;
  for (const auto& [uid, pod] : known.pods) {
    if (!walks || pod.pod.leaving() || pod.phase != "Running") continue;  // it couldn't walk
    for (const PodVolume& volume : pod.volumes) {
      const ObjectKey key{pod.pod.namespace_, volume.claim_name};
      const auto claim = known.claims.find(key);
      if (claim == known.claims.end() || !on_several_nodes(claim->second.claim)) continue;
      if (wants_walk(known, pod, claim->second)) claims.insert(key);
    }
  }
  leases.want(claims);
}

bool MetadataSource::Thread::claims_settled(const PodMetadata& pod) const {
  return std::all_of(pod.volumes.begin(), pod.volumes.end(), [&](const PodVolume& volume) {
    return volume.claim_name.empty() || objects.settled({pod.pod.namespace_, volume.claim_name});
  });
}

// A pod appears once each of its claims has been asked for: until then it would show under another
// name.
void MetadataSource::Thread::merge() {
  auto fresh = std::make_shared<Metadata>();
  objects.fill(*fresh);
  pods_wait = false;
  for (const auto& [uid, pod] : pods.pods()) {
    const bool settled = !has_api() || metadata->pods.contains(uid) || claims_settled(pod);
    if (settled) fresh->pods.emplace(uid, pod);
    pods_wait = pods_wait || !settled;
  }
  want_leases(*fresh);
  fresh->walked_here = leases.held();
  fresh->abnormal = health.abnormal();
  if (*fresh != *metadata) metadata = std::move(fresh);
}

void MetadataSource::Thread::step() {
  const auto now = steady_clock::now();
  pods.start_due(now);
  auto next = std::min(pods.next_due(), now + kLongestSleep);
  if (from_kubelet) {
    health.start_due(now);
    next = std::min(next, health.next_due());
  }
  if (has_api()) {
    objects.start_due(now);
    leases.start_due(now);
    next = std::min({next, objects.next_due(), leases.next_due()});
  }
  if (pods_wait) next = std::min(next, now + std::chrono::seconds(1));
  if (changed()) next = std::min(next, std::max(now, gathered_until));
  const auto pause = std::chrono::ceil<std::chrono::milliseconds>(next - steady_clock::now());
  loop.run(std::max(0ms, pause));
  if (pods.version() != pods_version) want();
}

SourceState MetadataSource::Thread::api_source() {
  SourceState source{"apiserver", false, {}, {}};
  const auto problems = objects.problems();
  if (!problems.empty()) source.problem = problems.begin()->second;
  if (from_kubelet) {
    source.last_success = objects.answered();
  } else {
    source.last_success = pods.confirmed();
    if (!pods.problem().empty()) source.problem = pods.problem();
  }
  source.up = source.problem.empty();
  return source;
}

std::map<std::string, std::string> MetadataSource::Thread::problems() const {
  auto all = objects.problems();
  if (!pods.problem().empty()) all["pods"] = pods.problem();
  if (!leases.problem().empty()) all["leases"] = leases.problem();
  return all;
}

std::shared_ptr<const MetadataState> MetadataSource::Thread::state() {
  const auto now = steady_clock::now();
  if (changed() && now >= gathered_until) {
    pods_version = pods.version();
    objects_version = objects.version();
    leases_version = leases.version();
    gathered_until = now + kGather;
    merge();
  }
  auto state = std::make_shared<MetadataState>();
  state->metadata = metadata;
  if (from_kubelet) {
    state->sources.push_back({"kubelet", pods.problem().empty(), pods.confirmed(), pods.problem()});
    state->requests.push_back(kubelet.stats());
  }
  if (has_api()) {
    state->sources.push_back(api_source());
    state->requests.push_back(api.stats());
  }
  state->pods_up = pods.problem().empty();
  return state;
}

namespace {

// Each problem is named once, when it begins, and once when it has gone.
void log_changes(const std::map<std::string, std::string>& before,
                 const std::map<std::string, std::string>& now, const Metadata& metadata) {
  for (const auto& [resource, problem] : now) {
    const auto old = before.find(resource);
    if (old != before.end() && old->second == problem) continue;
    log(LogLevel::kWarn, "no names from Kubernetes: keeping those known",
        {{"resource", resource}, {"error", problem}});
  }
  for (const auto& [resource, problem] : before) {
    if (now.contains(resource)) continue;
    log(LogLevel::kInfo, "names come from Kubernetes again",
        {{"resource", resource}, {"pods", std::to_string(metadata.pods.size())}});
  }
}

}  // namespace

MetadataSource::MetadataSource(MetadataOptions options)
    : changed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (options.api.url.empty() && options.kubelet.url.empty()) return;
  options.api.source = "apiserver";
  options.kubelet.source = "kubelet";
  own_ = std::make_unique<Thread>(options);
  thread_ = std::thread([this] {
    std::map<std::string, std::string> problems;
    bool first = true;
    std::optional<steady_clock::time_point> patience;
    while (!stop_) {
      if (soon_.exchange(false)) own_->pods.refresh_soon();
      const auto before = own_->metadata;
      own_->step();
      auto state = own_->state();
      if (!own_->tried()) continue;
      auto now = own_->problems();
      log_changes(problems, now, *state->metadata);
      // The first names come whole, unless that takes long.
      if (!patience) patience = steady_clock::now() + kFirstNames;
      if (!first || !own_->pods_wait || steady_clock::now() > *patience)
        publish(std::move(state), std::exchange(first, false) || own_->metadata != before);
      problems = std::move(now);
    }
  });
}

MetadataSource::~MetadataSource() {
  stop_ = true;
  if (!configured()) return;
  own_->loop.wake();
  thread_.join();
}

void MetadataSource::publish(std::shared_ptr<const MetadataState> state, bool changed) {
  {
    const std::lock_guard lock(mutex_);
    current_ = std::move(state);
  }
  loaded_.notify_all();
  if (!changed) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(changed_.get(), &one, sizeof one);
}

std::shared_ptr<const MetadataState> MetadataSource::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void MetadataSource::refresh_soon() {
  if (!configured()) return;
  soon_ = true;
  own_->loop.wake();
}

void MetadataSource::wait_first(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (configured()) loaded_.wait_for(lock, limit, [&] { return current_ != nullptr; });
}

}  // namespace volumeter
