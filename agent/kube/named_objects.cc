#include "kube/named_objects.h"

#include <algorithm>
#include <utility>

#include "kube/parse.h"

namespace volumeter {
namespace {

constexpr std::size_t kAtOnce = 4;
constexpr double kForbiddenUnits = 60;  // of backoff

template <class T, class Map, class Key>
bool store_parsed(Result<T> parsed, Map& map, const Key& key, std::string& problem) {
  if (!parsed) {
    problem = parsed.error().message;
    return false;
  }
  auto [it, fresh] = map.try_emplace(key);
  const bool changed = fresh || it->second != *parsed;
  it->second = std::move(parsed).value();
  return changed;
}

NamedObjects::Clock::duration ticks(Seconds seconds) {
  return std::chrono::duration_cast<NamedObjects::Clock::duration>(seconds);
}

}  // namespace

NamedObjects::NamedObjects(ApiClient& client, ObjectOptions options)
    : client_(client), options_(options), server_backoff_(options.backoff_unit) {}

std::string NamedObjects::resource_name(Resource resource) {
  switch (resource) {
    case Resource::kClaim:
      return "persistentvolumeclaims";
    case Resource::kVolume:
      return "persistentvolumes";
    case Resource::kClass:
      return "storageclasses";
    case Resource::kNamespace:
      return "namespaces";
  }
  return {};
}

std::string NamedObjects::path_of(const Id& id) {
  std::string path = id.resource == Resource::kClass ? "/apis/storage.k8s.io/v1/" : "/api/v1/";
  if (!id.namespace_.empty()) path += "namespaces/" + percent_encode(id.namespace_) + "/";
  return path + resource_name(id.resource) + "/" + percent_encode(id.name);
}

Seconds NamedObjects::refresh(Resource resource) const {
  return resource == Resource::kClaim || resource == Resource::kNamespace ? options_.claim_refresh
                                                                          : options_.volume_refresh;
}

void NamedObjects::want(const std::map<ObjectKey, std::set<std::string>>& claims,
                        const std::set<std::string>& namespaces) {
  std::set<Id> roots;
  for (const auto& [key, users] : claims) {
    const Id id{Resource::kClaim, key.first, key.second};
    roots.insert(id);
    const auto before = users_.find(key);
    if (before != users_.end() &&
        !std::includes(before->second.begin(), before->second.end(), users.begin(), users.end())) {
      ask_anew(id);
    }
  }
  users_ = claims;
  for (const std::string& name : namespaces) roots.insert({Resource::kNamespace, "", name});
  if (roots == roots_) return;
  roots_ = std::move(roots);
  follow();
}

void NamedObjects::ask_anew(const Id& claim) {
  const auto it = entries_.find(claim);
  if (it == entries_.end()) return;
  it->second.tried = false;
  it->second.due = {};
  ++version_;
}

// A failure whose object nobody wants any more would never be seen to end.
void NamedObjects::forgive() {
  const auto fails = [&](std::optional<Resource> resource) {
    return std::any_of(entries_.begin(), entries_.end(), [&](const auto& item) {
      return item.second.failing && (!resource || item.first.resource == *resource);
    });
  };
  if (server_failure_ && !fails({})) server_failure_.reset();
  std::erase_if(forbidden_, [&](const auto& item) { return !fails(item.first); });
}

// The closure of the roots: a claim leads to its volume and class.
void NamedObjects::follow() {
  std::set<Id> wanted = roots_;
  for (const auto& [key, claim] : known_.claims) {
    if (!roots_.contains({Resource::kClaim, key.first, key.second})) continue;
    if (!claim.persistent_volume.empty()) {
      wanted.insert({Resource::kVolume, "", claim.persistent_volume});
    }
    if (!claim.storage_class.empty()) wanted.insert({Resource::kClass, "", claim.storage_class});
  }
  std::erase_if(entries_, [&](const auto& item) {
    if (wanted.contains(item.first)) return false;
    forget(item.first);
    return true;
  });
  Entry fresh;
  fresh.backoff = Backoff(options_.backoff_unit);
  for (const Id& id : wanted) entries_.try_emplace(id, fresh);
  forgive();
}

void NamedObjects::forget(const Id& id) {
  std::size_t gone = 0;
  switch (id.resource) {
    case Resource::kClaim:
      gone = known_.claims.erase({id.namespace_, id.name});
      break;
    case Resource::kVolume:
      gone = known_.persistent_volumes.erase(id.name);
      break;
    case Resource::kClass:
      gone = known_.storage_classes.erase(id.name);
      break;
    case Resource::kNamespace:
      gone = known_.namespaces.erase(id.name);
      break;
  }
  version_ += gone;
}

bool NamedObjects::store(const Id& id, const std::string& body, std::string& problem) {
  switch (id.resource) {
    case Resource::kClaim:
      return store_parsed(parse_claim(body), known_.claims, ObjectKey{id.namespace_, id.name},
                          problem);
    case Resource::kVolume:
      return store_parsed(parse_persistent_volume(body), known_.persistent_volumes, id.name,
                          problem);
    case Resource::kClass:
      return store_parsed(parse_storage_class(body), known_.storage_classes, id.name, problem);
    case Resource::kNamespace:
      return store_parsed(parse_namespace(body), known_.namespaces, id.name, problem);
  }
  return false;
}

NamedObjects::Clock::time_point NamedObjects::allowed_at(Resource resource) const {
  auto when = server_failure_ ? server_failure_->until : Clock::time_point{};
  if (const auto it = forbidden_.find(resource); it != forbidden_.end()) {
    when = std::max(when, it->second.until);
  }
  return when;
}

void NamedObjects::start_due(Clock::time_point now) {
  std::vector<std::pair<Clock::time_point, Id>> due;
  for (const auto& [id, entry] : entries_) {
    if (entry.under_way || entry.due > now || allowed_at(id.resource) > now) continue;
    due.emplace_back(entry.due, id);
  }
  std::sort(due.begin(), due.end());
  for (const auto& [when, id] : due) {
    if (under_way_ >= kAtOnce) return;
    start(id);
  }
}

void NamedObjects::start(const Id& id) {
  entries_.at(id).under_way = true;
  ++under_way_;
  // resourceVersion=0: served from the API server's cache, no etcd read.
  client_.start({.resource = resource_name(id.resource),
                 .verb = "get",
                 .path = path_of(id) + "?resourceVersion=0"},
                [this, id](const ApiAnswer& answer) { finished(id, answer); });
}

void NamedObjects::finished(const Id& id, const ApiAnswer& answer) {
  --under_way_;
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;  // nobody wants it any more
  Entry& entry = it->second;
  entry.under_way = false;
  if (!std::exchange(entry.tried, true)) ++version_;

  const bool answered = answer.status == 200 || answer.status == 404;
  entry.failing = !answered;
  if (answered) answered_ = std::chrono::system_clock::now();
  const Seconds pause = answered ? succeeded(id, entry, answer) : failed(id, entry, answer);
  entry.due = Clock::now() + ticks(pause);
  follow();
}

Seconds NamedObjects::succeeded(const Id& id, Entry& entry, const ApiAnswer& answer) {
  server_failure_.reset();
  server_backoff_.reset();
  forbidden_.erase(id.resource);
  entry.problem.clear();
  bool whole = false;
  bool growing = false;
  if (answer.status == 404) {
    forget(id);
  } else {
    if (store(id, answer.body, entry.problem)) ++version_;
    if (!entry.problem.empty()) entry.problem = "GET " + path_of(id) + ": " + entry.problem;
    const auto claim = known_.claims.find({id.namespace_, id.name});
    const bool unbound = id.resource == Resource::kClaim && claim != known_.claims.end() &&
                         claim->second.persistent_volume.empty();
    whole = entry.problem.empty() && !unbound;
    growing = id.resource == Resource::kClaim && claim != known_.claims.end() &&
              follow_expansion(claim->second);
  }
  const Seconds usual = refresh(id.resource);
  const Seconds pause =
      jittered(growing ? std::min(usual, options_.growing_refresh) : usual, random_);
  if (!whole) return std::min(pause, entry.backoff.next(random_, {}));
  entry.backoff.reset();
  return pause;
}

// Its PersistentVolume says how far it has come.
bool NamedObjects::follow_expansion(const ClaimMetadata& claim) {
  const auto requested = claim.claim.requested_bytes;
  const auto granted = claim.claim.granted_bytes;
  if (!requested) return false;
  const auto known = known_.persistent_volumes.find(claim.persistent_volume);
  const bool volume_behind = known != known_.persistent_volumes.end() &&
                             known->second.capacity_bytes.value_or(*requested) < *requested;
  const bool waits = granted && *requested > *granted;
  const auto volume = entries_.find({Resource::kVolume, "", claim.persistent_volume});
  if ((waits || volume_behind) && volume != entries_.end()) volume->second.due = Clock::now();
  return waits;
}

Seconds NamedObjects::failed(const Id& id, Entry& entry, const ApiAnswer& answer) {
  const auto now = Clock::now();
  const std::string resource = resource_name(id.resource);
  if (answer.status == 403) {
    Pause& pause = forbidden_[id.resource];
    if (pause.problem.empty()) pause = {{}, resource, answer.problem, answer.status};
    pause.until = now + ticks(jittered(options_.backoff_unit * kForbiddenUnits, random_));
    ++version_;  // nothing of this resource has to be waited for
    return options_.backoff_unit * kForbiddenUnits;
  }
  // 401, 429, 5xx, or no answer at all: the next object would fare no better.
  const bool of_the_server =
      answer.status == 0 || answer.status == 401 || answer.status == 429 || answer.status >= 500;
  if (!of_the_server) {
    entry.problem = answer.problem;
    return entry.backoff.next(random_, answer.retry_after);
  }
  if (!server_failure_ || server_failure_->status != answer.status) {
    // Said once: with the next object's name it would look like news.
    server_failure_ = {server_failure_ ? server_failure_->until : Clock::time_point{}, resource,
                       answer.problem, answer.status};
  }
  if (now < server_failure_->until) return server_failure_->until - now;  // one of several
  const Seconds pause = server_backoff_.next(random_, answer.retry_after);
  server_failure_->until = now + ticks(pause);
  ++version_;
  return pause;
}

std::map<std::string, std::string> NamedObjects::problems() const {
  std::map<std::string, std::string> all;
  if (server_failure_) all.emplace(server_failure_->resource, server_failure_->problem);
  for (const auto& [resource, pause] : forbidden_) all.emplace(pause.resource, pause.problem);
  for (const auto& [id, entry] : entries_) {
    if (!entry.problem.empty()) all.emplace(resource_name(id.resource), entry.problem);
  }
  return all;
}

NamedObjects::Clock::time_point NamedObjects::next_due() const {
  auto next = Clock::time_point::max();
  if (under_way_ >= kAtOnce) return next;
  for (const auto& [id, entry] : entries_) {
    if (!entry.under_way) next = std::min(next, std::max(entry.due, allowed_at(id.resource)));
  }
  return next;
}

bool NamedObjects::tried(const Id& id) const {
  const auto entry = entries_.find(id);
  return entry == entries_.end() || entry->second.tried || Clock::now() < allowed_at(id.resource);
}

bool NamedObjects::settled(const ObjectKey& key) const {
  if (!tried({Resource::kClaim, key.first, key.second})) return false;
  const auto claim = known_.claims.find(key);
  return claim == known_.claims.end() ||
         (tried({Resource::kVolume, "", claim->second.persistent_volume}) &&
          tried({Resource::kClass, "", claim->second.storage_class}));
}

void NamedObjects::fill(Metadata& out) const {
  out.claims = known_.claims;
  out.persistent_volumes = known_.persistent_volumes;
  out.storage_classes = known_.storage_classes;
  out.namespaces = known_.namespaces;
}

}  // namespace volumeter
