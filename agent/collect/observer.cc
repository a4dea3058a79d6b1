#include "collect/observer.h"

#include <algorithm>
#include <utility>

#include "collect/alert_wishes.h"
#include "collect/probe_plan.h"
#include "collect/workload_fit.h"
#include "inventory/mount_index.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

using std::chrono::steady_clock;

// A new pod's volumes wait this long for their names, rather than appear under others.
constexpr auto kNameWait = std::chrono::seconds(5);
constexpr auto kFullScan = std::chrono::minutes(5);
constexpr const char* kUsualKubeletRoot = "/var/lib/kubelet";

template <class T>
bool replace(T& old, T fresh) {
  if (old == fresh) return false;
  old = std::move(fresh);
  return true;
}

}  // namespace

Observer::Observer(HostPaths host, MetadataSource& metadata, bool all_volumes)
    : host_(std::move(host)),
      metadata_(metadata),
      device_reader_(host_),
      inventory_(std::make_shared<const Inventory>()) {
  input_.all_volumes = all_volumes;
  input_.booted = boot_time(host_);
}

void Observer::note(SourceState& source, const Status& status) {
  const std::string problem = status ? std::string() : status.error().message;
  if (problem != source.problem && !problem.empty()) {
    log(LogLevel::kWarn, "a source of the inventory can't be read",
        {{"source", source.source}, {"error", problem}});
  } else if (problem.empty() && !source.up && source.last_success) {
    log(LogLevel::kInfo, "a source of the inventory is back", {{"source", source.source}});
  }
  source.up = problem.empty();
  source.problem = problem;
  if (source.up) source.last_success = std::chrono::system_clock::now();
}

bool Observer::read_mounts() {
  auto text = read_mountinfo(host_);
  note(mounts_source_, text ? Status(Done{}) : Status(text.error()));
  if (!text || *text == mountinfo_) return false;
  ParsedMounts parsed = parse_mountinfo(*text);
  if (parsed.bad_lines > 0) {
    log(LogLevel::kWarn, "lines of mountinfo could not be parsed and were left out",
        {{"lines", std::to_string(parsed.bad_lines)}});
  }
  mountinfo_ = std::move(text).value();
  return replace(input_.mounts, std::move(parsed.table));
}

bool Observer::read_kubelet() {
  std::string root = host_.kubelet;
  if (root.empty()) root = find_kubelet_root(input_.mounts);
  const bool guessed = root.empty();
  if (guessed) root = kUsualKubeletRoot;
  auto tree = scanner_.scan(host_, root);
  // Nobody said that there is a kubelet: a host without one is no error.
  if (!tree && guessed && tree.error().code == ENOENT) {
    kubelet_source_ = {"kubelet-directory", false, {}, "no kubelet directory on this host"};
    return replace(tree_, KubeletTree{});
  }
  note(kubelet_source_, tree ? Status(Done{}) : Status(tree.error()));
  if (!tree) return false;
  if (tree->problems != tree_.problems) {
    for (const std::string& problem : tree->problems) {
      log(LogLevel::kWarn, "an entry of the kubelet's directory was left out",
          {{"error", problem}});
    }
  }
  return replace(tree_, std::move(tree).value());
}

bool Observer::read_metadata() {
  const auto fresh = metadata_.current();
  if (fresh == nullptr) return false;
  const bool same = names_ != nullptr && names_->metadata == fresh->metadata;
  names_ = fresh;
  const bool changed = replace(input_.pods_listed, fresh->pods_up);
  if (same) return changed;
  input_.metadata = *fresh->metadata;
  return true;
}

bool Observer::read_logs() {
  auto logs = scan_pod_logs(host_);
  const bool expected = !tree_.root.empty();
  if (logs || expected) note(logs_source_, logs ? Status(Done{}) : Status(logs.error()));
  return logs && replace(input_.pod_logs, std::move(logs).value());
}

bool Observer::read_devices() {
  auto devices = device_reader_.read();
  if (!devices) return false;
  return replace(input_.devices, std::move(devices).value());
}

void Observer::withhold_unnamed(KubeletTree& tree) {
  const bool can_come = metadata_.configured() && (names_ == nullptr || names_->pods_up);
  const auto now = steady_clock::now();
  std::map<std::string, steady_clock::time_point> still;
  withheld_ = false;
  for (const std::string& uid : tree.pod_uids) {
    if (!can_come || input_.metadata.pods.contains(uid) || shown_.contains(uid)) continue;
    const auto known = unnamed_since_.find(uid);
    still[uid] = known == unnamed_since_.end() ? now : known->second;
    if (now - still[uid] < kNameWait) withheld_ = true;
  }
  unnamed_since_ = std::move(still);
  if (!withheld_) {
    shown_ = {tree.pod_uids.begin(), tree.pod_uids.end()};
    return;
  }
  metadata_.refresh_soon();
  const auto waits = [&](const std::string& uid) {
    const auto it = unnamed_since_.find(uid);
    return it != unnamed_since_.end() && now - it->second < kNameWait;
  };
  std::erase_if(tree.pod_uids, waits);
  std::erase_if(tree.volumes, [&](const PodVolumeDir& dir) { return waits(dir.pod_uid); });
  shown_ = {tree.pod_uids.begin(), tree.pod_uids.end()};
}

bool Observer::observe() {
  bool changed = read_mounts();
  // Volumes come and go with mounts, pods with entries of pods/. The rest (an emptyDir added to a
  // pod that is there, a vanished log directory) can wait for the next full scan.
  const auto now = steady_clock::now();
  // A volume's directory is made before its mount and removed after it, which nothing announces.
  const bool just_changed = std::exchange(mounts_changed_, changed);
  if (changed || just_changed || !kubelet_source_.up || now - scanned_ >= kFullScan ||
      scanner_.pods_changed(host_, tree_.root)) {
    scanned_ = now;
    changed = read_kubelet() || changed;
    changed = read_logs() || changed;
    changed = replace(input_.cgroups, find_pod_cgroups(host_)) || changed;
  }
  changed = read_metadata() || changed;
  changed = read_devices() || changed;
  if (!changed && unnamed_since_.empty()) return false;
  KubeletTree visible = tree_;
  withhold_unnamed(visible);
  changed = replace(input_.kubelet, std::move(visible)) || changed;
  if (!changed) return false;
  inventory_ = build_inventory(input_);
  warn_of_annotations();
  return true;
}

namespace {

std::string wrong_with(const std::string& name, const std::string& value) {
  const std::vector<std::string>& alerts = alert_wish_names();
  if (std::find(alerts.begin(), alerts.end(), name) != alerts.end()) {
    return wrong_with_alert_wish(name, value);
  }
  if (name == "workload") return wrong_with_workload(value);
  if (name != "walk") return wrong_with_annotation(name, value);
  return value == "on" || value == "off" ? "" : R"(must be "on" or "off")";
}

std::vector<std::string> annotation_names() {
  std::vector<std::string> names = {"walk", "probe", "probe-interval", "burst", "workload"};
  names.insert(names.end(), alert_wish_names().begin(), alert_wish_names().end());
  return names;
}

}  // namespace

// Each wrong value is named once for each volume.
void Observer::warn_of_annotations() {
  if (warned_of_.size() > 1000) warned_of_.clear();  // pods come and go
  for (const Volume& volume : inventory_->volumes) {
    for (const std::string& name : annotation_names()) {
      const std::string* value = find_annotation(*inventory_, volume, name);
      if (value == nullptr) continue;
      const std::string wrong = wrong_with(name, *value);
      if (wrong.empty()) continue;
      const Pod& pod = inventory_->pods[volume.pod];
      const std::string whose = pod.namespace_ + "/" + pod.name + " " + volume.name;
      if (!warned_of_.insert(whose + " " + name + " " + *value).second) continue;
      log(LogLevel::kWarn, "an annotation makes no sense and is ignored: " + wrong,
          {{"volume", whose}, {"annotation", "volumeter.io/" + name}, {"value", *value}});
    }
  }
}

std::vector<SourceState> Observer::sources() const {
  std::vector<SourceState> all = {mounts_source_};
  if (!tree_.root.empty() || !host_.kubelet.empty()) {
    all.push_back(kubelet_source_);
    all.push_back(logs_source_);
  }
  const auto names = metadata_.current();
  if (names != nullptr) {
    all.insert(all.end(), names->sources.begin(), names->sources.end());
  } else if (metadata_.configured()) {
    all.push_back({"apiserver", false, {}, "no answer yet"});
  }
  return all;
}

std::vector<RequestStats> Observer::requests() const {
  const auto names = metadata_.current();
  return names == nullptr ? std::vector<RequestStats>{} : names->requests;
}

}  // namespace volumeter
