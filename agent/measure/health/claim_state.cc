#include "measure/health/claim_state.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace volumeter {
namespace {

const VolumeMetric kViolated("access_violated",
                             "1 if the claim is used against an access mode: several pods of this "
                             "node use a ReadWriteOncePod claim (single_pod), or one that is only "
                             "ReadOnlyMany is written (read_only); or, which Kubernetes allows, "
                             "several pods use a ReadWriteOnce claim (single_writer).",
                             MetricType::kGauge, {"rule"});
const VolumeMetric kCrossed("ordinal_mismatch",
                            "1 if a StatefulSet's pod uses the claim of another ordinal.");

const VolumeMetric kAbnormal("health_status_abnormal",
                             "1 if the volume's driver says that it isn't well, as the kubelet "
                             "exports it (KEP-1432). With --kube.kubelet-url only.");

bool has_mode(const Claim& claim, const char* mode) {
  return std::find(claim.access_modes.begin(), claim.access_modes.end(), mode) !=
         claim.access_modes.end();
}

// Of one claim: its volumes in use, and where what is found goes.
class ClaimCheck {
 public:
  ClaimCheck(Snapshot& snapshot, std::size_t subject)
      : snapshot_(snapshot),
        inventory_(*snapshot.inventory),
        index_(subject),
        subject_(inventory_.subjects[subject]),
        claim_(inventory_.claims[*subject_.claim]),
        used_(volumes_in_use(inventory_, subject_)) {}

  void run() {
    if (used_.empty()) return;
    if (!claim_.access_modes.empty()) access();
    identity();
    if (!claim_.abnormal) return;
    snapshot_.measurements.add(kAbnormal, subject_, *claim_.abnormal ? 1 : 0);
    if (*claim_.abnormal) find(FindingKind::kDriver, "its driver says that it isn't well");
  }

 private:
  void find(FindingKind kind, const std::string& text) {
    for (const std::size_t i : used_) snapshot_.volumes[i].findings.push_back({kind, text});
  }

  void rule(const char* name, bool violated) {
    snapshot_.measurements.add(kViolated, subject_, {name}, violated ? 1 : 0);
  }

  void access() {
    if (has_mode(claim_, "ReadWriteOncePod")) {
      users("single_pod", "ReadWriteOncePod", FindingKind::kAccess);
    } else if (has_mode(claim_, "ReadWriteOnce") && !on_several_nodes(claim_)) {
      users("single_writer", "ReadWriteOnce", FindingKind::kSharing);
    }
    if (is_read_only(claim_)) read_only();
  }

  void users(const char* name, const std::string& mode, FindingKind kind) {
    std::set<std::string> pods;
    // That a second one waits is how Kubernetes holds the mode up.
    for (const std::size_t i : used_) {
      if (inventory_.volumes[i].mounted) {
        pods.insert(inventory_.pods[inventory_.volumes[i].pod].name);
      }
    }
    rule(name, pods.size() > 1);
    if (pods.size() <= 1) return;
    std::string names;
    for (const std::string& pod : pods) names += (names.empty() ? "" : ", ") + pod;
    find(kind, std::to_string(pods.size()) + " pods of this node use it (" + names +
                   "), and its mode is " + mode);
  }

  // Reading a filesystem that is mounted writable writes, too: access times, the journal, what mkfs
  // left to be done. That is less than a write a second.
  void read_only() {
    constexpr double kByItself = 1;
    bool mounted = false;
    bool writable = false;
    for (const std::size_t i : used_) {
      const auto& mount = inventory_.volumes[i].mount;
      mounted = mounted || mount.has_value();
      writable = writable || (mount && !mount->read_only());
    }
    const auto& activity = snapshot_.activity[index_];
    const bool known = activity && activity->writes_per_second;
    if (!mounted || (writable && !known)) return;
    const bool written = writable && *activity->writes_per_second > kByItself;
    rule("read_only", written);
    if (written) find(FindingKind::kAccess, "it is written, and its mode is ReadOnlyMany");
  }

  void identity() {
    bool any = false;
    std::string crossed;
    for (const std::size_t i : used_) {
      const Pod& pod = inventory_.pods[inventory_.volumes[i].pod];
      if (!pod.ordinal) continue;
      const auto ordinal = ordinal_of_claim(claim_.name, pod.owner_name);
      if (!ordinal) continue;
      any = true;
      if (*ordinal != *pod.ordinal) crossed = pod.name;
    }
    if (!any) return;
    snapshot_.measurements.add(kCrossed, subject_, crossed.empty() ? 0 : 1);
    if (!crossed.empty()) {
      find(FindingKind::kIdentity, "claim " + claim_.name + " is used by pod " + crossed +
                                       ": it was made for another ordinal of its StatefulSet");
    }
  }

  Snapshot& snapshot_;
  const Inventory& inventory_;
  const std::size_t index_;
  const Subject& subject_;
  const Claim& claim_;
  const std::vector<std::size_t> used_;
};

}  // namespace

std::optional<int> ordinal_of_claim(const std::string& claim, const std::string& set) {
  const auto dash = claim.rfind('-');
  if (set.empty() || dash == std::string::npos) return std::nullopt;
  const std::string_view template_and_set = std::string_view(claim).substr(0, dash);
  const std::string suffix = "-" + set;
  if (!template_and_set.ends_with(suffix) || template_and_set.size() == suffix.size()) {
    return std::nullopt;
  }
  int ordinal = 0;
  const char* const end = claim.data() + claim.size();
  const auto [rest, error] = std::from_chars(claim.data() + dash + 1, end, ordinal);
  if (error != std::errc() || rest != end || ordinal < 0) return std::nullopt;
  return ordinal;
}

std::vector<const MetricDesc*> claim_state_families() {
  return {&kViolated.claim, &kCrossed.claim, &kAbnormal.claim};
}

void add_claim_state(Snapshot& snapshot) {
  const auto& subjects = snapshot.inventory->subjects;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    if (subjects[i].claim && !subjects[i].hidden) ClaimCheck(snapshot, i).run();
  }
}

}  // namespace volumeter
