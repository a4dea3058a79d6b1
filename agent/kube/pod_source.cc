#include "kube/pod_source.h"

#include <algorithm>
#include <utility>

namespace volumeter {
namespace {

constexpr int kGone = 410;
// A watch that lived this long, or sent an event, works: its end is no sign of trouble.
constexpr auto kProvenWatch = std::chrono::seconds(10);

std::string selector(const std::string& node) {
  return "fieldSelector=" + percent_encode("spec.nodeName=" + node);
}

}  // namespace

PodSource::PodSource(ApiClient& client, PodSourceOptions options)
    : client_(client), options_(std::move(options)), backoff_(options_.backoff_unit) {}

void PodSource::try_in(Seconds pause) {
  due_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(pause);
}

void PodSource::start_due(Clock::time_point now) {
  if (under_way_ || now < due_) return;
  under_way_ = true;
  started_ = now;
  if (resource_version_.empty()) {
    start_list();
  } else {
    start_watch();
  }
}

PodSource::Clock::time_point PodSource::next_due() const {
  return under_way_ ? Clock::time_point::max() : due_;
}

void PodSource::refresh_soon() {
  if (options_.kubelet && problem_.empty()) {
    due_ = std::min(due_, std::max(Clock::now(), started_ + std::chrono::seconds(1)));
  }
}

void PodSource::start_list() {
  // resourceVersion=0: served from the API server's cache, no etcd read.
  const std::string path =
      options_.kubelet ? "/pods" : "/api/v1/pods?resourceVersion=0&" + selector(options_.node_name);
  client_.start({.resource = "pods", .verb = "list", .path = path},
                [this](const ApiAnswer& answer) { listed(answer); });
}

void PodSource::listed(const ApiAnswer& answer) {
  under_way_ = false;
  tried_ = true;
  if (!answer.problem.empty()) return fail(answer.problem, answer.retry_after);
  auto list = parse_pod_list(answer.body);
  if (!list) return fail(list.error().message, {});
  std::map<std::string, PodMetadata> fresh;
  for (PodMetadata& pod : list->pods) {
    std::string uid = pod.pod.uid;
    fresh.insert_or_assign(std::move(uid), std::move(pod));
  }
  const bool in_doubt = options_.kubelet && keep_once(fresh);
  if (fresh != pods_) {
    pods_ = std::move(fresh);
    ++version_;
  }
  const bool can_watch = !options_.kubelet && !list->resource_version.empty();
  if (can_watch) {
    // Whether all is well again is for the watch to say: it may be what was refused.
    confirmed_ = std::chrono::system_clock::now();
    resource_version_ = list->resource_version;
    return try_in(Seconds(0));
  }
  confirm();
  backoff_.reset();
  try_in(in_doubt ? options_.backoff_unit * 3 : jittered(options_.refresh, random_));
}

// A kubelet that has just started lists static pods only, or none (kubernetes#112119): a pod has
// left when two lists in a row lack it.
bool PodSource::keep_once(std::map<std::string, PodMetadata>& fresh) {
  std::set<std::string> missing;
  bool in_doubt = false;
  for (const auto& [uid, pod] : pods_) {
    if (fresh.contains(uid) || !missing.insert(uid).second || missing_.contains(uid)) continue;
    fresh.emplace(uid, pod);
    in_doubt = true;
  }
  missing_ = std::move(missing);
  return in_doubt;
}

void PodSource::start_watch() {
  const Seconds timeout = jittered(options_.watch_timeout, random_);
  const auto seconds = std::max<long>(1, static_cast<long>(timeout.count()));
  event_problem_.clear();
  stale_version_ = answered_ = false;
  const std::string path = "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=" +
                           percent_encode(resource_version_) +
                           "&timeoutSeconds=" + std::to_string(seconds) + "&" +
                           selector(options_.node_name);
  client_.start({.resource = "pods",
                 .verb = "watch",
                 .path = path,
                 .timeout = std::chrono::seconds(seconds + 30),
                 .on_open = [this] { confirm(); },
                 .on_line = [this](std::string_view line) { return event(line); }},
                [this](const ApiAnswer& answer) { watch_ended(answer); });
}

bool PodSource::event(std::string_view line) {
  auto event = parse_pod_event(line);
  if (!event) {
    event_problem_ = event.error().message;
    return false;
  }
  if (event->type == PodEvent::Type::kError) {
    stale_version_ = event->code == kGone;
    if (!stale_version_) {
      event_problem_ = "watch of pods: " + std::to_string(event->code) + ": " + event->message;
    }
    return false;
  }
  answered_ = true;
  if (!event->resource_version.empty()) resource_version_ = event->resource_version;
  confirm();
  const std::string uid = event->pod.pod.uid;
  if (event->type == PodEvent::Type::kDeleted) {
    version_ += pods_.erase(uid);
  } else if (event->type == PodEvent::Type::kChanged) {
    const auto [it, fresh] = pods_.try_emplace(uid);
    if (fresh || it->second != event->pod) {
      it->second = std::move(event->pod);
      ++version_;
    }
  }
  return true;
}

void PodSource::watch_ended(const ApiAnswer& answer) {
  under_way_ = false;
  if (answered_ || Clock::now() - started_ > kProvenWatch) backoff_.reset();
  if (stale_version_ || answer.status == kGone) {
    // Too old to go on from: what happened since then is only in a new list.
    resource_version_.clear();
    return try_in(backoff_.next(random_, {}) / 4);
  }
  if (!event_problem_.empty()) {
    resource_version_.clear();
    return fail(event_problem_, {});
  }
  if (answer.status == 200) {
    // Its time was over. An ending at once, without a word, must not become a busy loop.
    confirm();
    const bool quick = !answered_ && Clock::now() - started_ < std::chrono::seconds(1);
    return try_in(quick ? backoff_.next(random_, {}) : Seconds(0));
  }
  // A stream that broke after it worked goes on where it was; if it can't, everything is new.
  if (!std::exchange(answered_, false)) resource_version_.clear();
  fail(answer.problem, answer.retry_after);
}

void PodSource::confirm() {
  confirmed_ = std::chrono::system_clock::now();
  problem_.clear();
}

void PodSource::fail(const std::string& problem, std::optional<std::chrono::seconds> retry_after) {
  problem_ = problem;
  try_in(backoff_.next(random_, retry_after));
}

}  // namespace volumeter
