#include "kube/walk_leases.h"

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "kube/json.h"

namespace volumeter {
namespace {

using kube::Json;

WalkLeases::Clock::duration ticks(Seconds seconds) {
  return std::chrono::duration_cast<WalkLeases::Clock::duration>(seconds);
}

// metav1.MicroTime: "2026-01-02T03:04:05.000000Z".
std::string micro_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(now);
  const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(now - whole);
  const std::time_t seconds = whole.count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<long>(micro.count()));
  return text;
}

}  // namespace

WalkLeases::WalkLeases(ApiClient& client, LeaseOptions options)
    : client_(client), options_(std::move(options)) {}

std::string WalkLeases::name_of(const ObjectKey& claim) {
  // FNV-1a; a '/' is in no name.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : claim.first + "/" + claim.second) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  char text[40];
  std::snprintf(text, sizeof text, "volumeter-walk-%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string WalkLeases::collection() const {
  return "/apis/coordination.k8s.io/v1/namespaces/" + percent_encode(options_.namespace_) +
         "/leases";
}

void WalkLeases::want(const std::set<ObjectKey>& claims) {
  std::erase_if(entries_, [&](const auto& item) { return !claims.contains(item.first); });
  Entry fresh;
  fresh.backoff = Backoff(options_.backoff_unit);
  for (const ObjectKey& claim : claims) entries_.try_emplace(claim, fresh);
  if (!entries_.empty() && options_.namespace_.empty()) {
    problem_ = "leases: the agent's own namespace isn't known (--kube.lease-namespace)";
  } else if (entries_.empty()) {
    problem_.clear();
  }
}

std::set<ObjectKey> WalkLeases::held() const {
  const auto now = Clock::now();
  std::set<ObjectKey> held;
  for (const auto& [claim, entry] : entries_) {
    if (now < entry.held_until) held.insert(claim);
  }
  return held;
}

WalkLeases::Entry* WalkLeases::entry_of(const ObjectKey& claim) {
  const auto it = entries_.find(claim);
  return it == entries_.end() ? nullptr : &it->second;
}

void WalkLeases::start_due(Clock::time_point now) {
  if (options_.namespace_.empty()) return;
  for (auto& [claim, entry] : entries_) {
    if (!entry.under_way && entry.due <= now) start(claim);
  }
}

WalkLeases::Clock::time_point WalkLeases::next_due() const {
  auto next = Clock::time_point::max();
  if (options_.namespace_.empty()) return next;
  for (const auto& [claim, entry] : entries_) {
    if (!entry.under_way) next = std::min(next, entry.due);
  }
  return next;
}

void WalkLeases::start(const ObjectKey& claim) {
  entries_.at(claim).under_way = true;
  client_.start({.resource = "leases", .verb = "get", .path = collection() + "/" + name_of(claim)},
                [this, claim](const ApiAnswer& answer) { got(claim, answer); });
}

void WalkLeases::later(Entry& entry, Seconds pause) {
  entry.under_way = false;
  entry.due = Clock::now() + ticks(pause);
}

void WalkLeases::failed(Entry& entry, const ApiAnswer& answer) {
  problem_ = answer.problem;
  const Seconds pause = entry.backoff.next(random_, answer.retry_after);
  // What isn't allowed won't soon be.
  later(entry, answer.status == 403 ? std::max(pause, jittered(options_.renew, random_)) : pause);
}

void WalkLeases::got(const ObjectKey& claim, const ApiAnswer& answer) {
  Entry* entry = entry_of(claim);
  if (entry == nullptr) return;
  if (answer.status == 404) return take(claim, "");
  if (answer.status != 200) return failed(*entry, answer);
  const auto lease = kube::parse_object(answer.body, "lease");
  if (!lease) return failed(*entry, {0, {}, lease.error().message, {}});
  const Json& spec = kube::at(*lease, "spec");
  const std::string holder = kube::text(spec, "holderIdentity");
  if (holder.empty() || holder == options_.holder) return take(claim, answer.body);
  // Clocks differ: what counts is for how long nothing has changed as seen from here.
  const auto now = Clock::now();
  const std::string seen = holder + " " + kube::text(spec, "renewTime");
  if (entry->seen != seen) {
    entry->seen = seen;
    entry->seen_at = now;
  }
  const Json& duration = kube::at(spec, "leaseDurationSeconds");
  const Seconds valid(duration.is_number_integer() ? duration.get<double>() : 0.0);
  if (now - entry->seen_at > ticks(valid)) return take(claim, answer.body);
  if (entry->held_until > now) ++version_;  // somebody has taken it from us
  entry->held_until = {};
  problem_.clear();
  later(*entry, jittered(options_.renew, random_));
}

// `lease`: as it is; empty: there is none yet. A stale one is refused by its resourceVersion.
void WalkLeases::take(const ObjectKey& claim, const std::string& lease) {
  Json out = lease.empty() ? Json::object() : Json::parse(lease, nullptr, false);
  if (lease.empty()) {
    out = {{"apiVersion", "coordination.k8s.io/v1"},
           {"kind", "Lease"},
           {"metadata",
            {{"name", name_of(claim)},
             {"namespace", options_.namespace_},
             {"annotations", {{"volumeter.io/claim", claim.first + "/" + claim.second}}}}},
           {"spec", Json::object()}};
  }
  Json& spec = out["spec"];
  const std::string now = micro_time();
  if (kube::text(spec, "holderIdentity") != options_.holder) {
    const Json& transitions = kube::at(spec, "leaseTransitions");
    spec["leaseTransitions"] =
        (transitions.is_number_integer() ? transitions.get<std::int64_t>() : -1) + 1;
    spec["acquireTime"] = now;
    spec["holderIdentity"] = options_.holder;
  }
  spec["renewTime"] = now;
  spec["leaseDurationSeconds"] = static_cast<std::int64_t>(options_.duration.count());
  send(claim, lease.empty() ? "create" : "update", out.dump());
}

void WalkLeases::send(const ObjectKey& claim, const std::string& verb, const std::string& body) {
  client_.start({.resource = "leases",
                 .verb = verb,
                 .path = collection() + (verb == "create" ? "" : "/" + name_of(claim)),
                 .body = body},
                [this, claim](const ApiAnswer& answer) { took(claim, answer); });
}

void WalkLeases::took(const ObjectKey& claim, const ApiAnswer& answer) {
  Entry* entry = entry_of(claim);
  if (entry == nullptr) return;
  const auto now = Clock::now();
  const bool held = entry->held_until > now;
  if (answer.status == 200 || answer.status == 201) {
    entry->held_until = now + ticks(options_.duration);
    entry->backoff.reset();
    problem_.clear();
    if (!held) ++version_;
    return later(*entry, jittered(options_.renew, random_));
  }
  if (answer.status != 409) return failed(*entry, answer);
  later(*entry, entry->backoff.next(random_, {}));  // another was faster: look who
}

}  // namespace volumeter
