#include <algorithm>
#include <charconv>

#include "kube/json.h"
#include "kube/parse.h"

namespace volumeter {
namespace {

using kube::annotations_of;
using kube::at;
using kube::Json;
using kube::text;

PodVolume to_pod_volume(const Json& source, const std::string& pod_name) {
  PodVolume volume;
  volume.name = text(source, "name");
  volume.kind = kube::kind_of(source);
  volume.host_path = text(at(source, "hostPath"), "path");
  volume.csi_driver = text(at(source, "csi"), "driver");
  volume.read_only = kube::source_is_read_only(source);
  volume.size_limit = kube::quantity(at(at(source, "emptyDir"), "sizeLimit"));
  volume.claim_name = text(at(source, "persistentVolumeClaim"), "claimName");
  // KEP-1698: a generic ephemeral volume's claim is named <pod>-<volume>.
  if (at(source, "ephemeral").is_object()) volume.claim_name = pod_name + "-" + volume.name;
  return volume;
}

// A StatefulSet's pod is named <set>-<ordinal>.
std::optional<int> ordinal_of(const Pod& pod) {
  if (pod.owner_kind != "StatefulSet" || !pod.name.starts_with(pod.owner_name + "-")) return {};
  const std::string_view digits = std::string_view(pod.name).substr(pod.owner_name.size() + 1);
  int ordinal = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (error != std::errc() || end != digits.data() + digits.size() || ordinal < 0) return {};
  return ordinal;
}

// A Deployment names its ReplicaSets <deployment>-<hash> and labels their pods with the hash
// (kubernetes: pkg/controller/deployment/sync.go, getNewReplicaSet): no request is needed to know
// whose they are.
void resolve_deployment(Pod& pod, const std::string& template_hash) {
  const std::string suffix = "-" + template_hash;
  if (pod.owner_kind != "ReplicaSet" || template_hash.empty() ||
      !pod.owner_name.ends_with(suffix) || pod.owner_name.size() == suffix.size()) {
    return;
  }
  pod.owner_kind = "Deployment";
  pod.owner_name.erase(pod.owner_name.size() - suffix.size());
}

// As the kubelet's eviction adds it up (kubernetes: staging/src/k8s.io/component-helpers/resource/
// helpers.go, PodLimits): the containers and sidecars together, or an init container with the
// sidecars before it where that is more.
std::optional<std::uint64_t> ephemeral_storage_limit(const Json& spec) {
  bool any = false;
  const auto limit_of = [&](const Json& container) {
    const auto limit =
        kube::quantity(at(at(at(container, "resources"), "limits"), "ephemeral-storage"));
    any = any || limit;
    return limit.value_or(0);
  };
  std::uint64_t sidecars = 0;
  std::uint64_t starting = 0;
  for (const Json& container : at(spec, "initContainers")) {
    const std::uint64_t limit = limit_of(container);
    if (text(container, "restartPolicy") == "Always") {
      sidecars += limit;
      starting = std::max(starting, sidecars);
    } else {
      starting = std::max(starting, sidecars + limit);
    }
  }
  std::uint64_t running = sidecars;
  for (const Json& container : at(spec, "containers")) running += limit_of(container);
  if (!any) return std::nullopt;
  const auto overhead = kube::quantity(at(at(spec, "overhead"), "ephemeral-storage"));
  return std::max(running, starting) + overhead.value_or(0);
}

void read_running_containers(const Json& status, PodMetadata& pod) {
  for (const char* list :
       {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"}) {
    for (const Json& container : at(status, list)) {
      const Json& running = at(at(container, "state"), "running");
      if (!running.is_object()) continue;
      const std::string id = text(container, "containerID");  // containerd://<id>
      const auto scheme = id.find("://");
      if (scheme != std::string::npos) pod.running_containers.push_back(id.substr(scheme + 3));
      const auto started = kube::time(text(running, "startedAt"));
      if (started) pod.containers_started = std::max(pod.containers_started, started);
    }
  }
}

PodMetadata to_pod(const Json& item) {
  PodMetadata out;
  const Json& meta = at(item, "metadata");
  out.pod.uid = text(meta, "uid");
  out.pod.namespace_ = text(meta, "namespace");
  out.pod.name = text(meta, "name");
  out.pod.node = text(at(item, "spec"), "nodeName");
  out.pod.deleting = at(meta, "deletionTimestamp").is_string();
  for (const Json& owner : at(meta, "ownerReferences")) {
    if (at(owner, "controller") != true) continue;
    out.pod.owner_kind = text(owner, "kind");
    out.pod.owner_name = text(owner, "name");
  }
  resolve_deployment(out.pod, text(at(meta, "labels"), "pod-template-hash"));
  out.pod.ordinal = ordinal_of(out.pod);
  out.pod.annotations = annotations_of(meta);
  out.phase = text(at(item, "status"), "phase");
  out.pod.ended = out.phase == "Succeeded" || out.phase == "Failed";
  for (const Json& source : at(at(item, "spec"), "volumes")) {
    out.volumes.push_back(to_pod_volume(source, out.pod.name));
  }
  out.ephemeral_storage_limit = ephemeral_storage_limit(at(item, "spec"));
  read_running_containers(at(item, "status"), out);
  // A static pod's directory is named after the hash in this annotation, not after the uid of
  // its mirror (kubernetes: pkg/kubelet/types/pod_update.go).
  const std::string mirror = text(at(meta, "annotations"), "kubernetes.io/config.mirror");
  if (!mirror.empty()) out.pod.uid = mirror;
  return out;
}

}  // namespace

Result<PodList> parse_pod_list(std::string_view json) {
  auto list = kube::parse_object(json, "pods");
  if (!list) return list.error();
  const Json& items = at(*list, "items");
  if (!items.is_array() && !items.is_null()) return Error{"pods: \"items\" is not an array"};
  PodList out;
  out.resource_version = text(at(*list, "metadata"), "resourceVersion");
  for (const Json& item : items) {
    PodMetadata pod = to_pod(item);
    if (pod.pod.uid.empty()) return Error{"pods: an item has no metadata.uid"};
    out.pods.push_back(std::move(pod));
  }
  return out;
}

Result<PodEvent> parse_pod_event(std::string_view line) {
  auto parsed = kube::parse_object(line, "watch of pods");
  if (!parsed) return parsed.error();
  const std::string type = text(*parsed, "type");
  const Json& object = at(*parsed, "object");
  PodEvent event;
  event.resource_version = text(at(object, "metadata"), "resourceVersion");
  if (type == "ERROR") {
    const Json& code = at(object, "code");
    event.code = code.is_number_integer() ? code.get<int>() : 0;
    event.message = text(object, "message");
    return event;
  }
  if (type == "BOOKMARK") {
    event.type = PodEvent::Type::kBookmark;
    return event;
  }
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
    return Error{
        "watch of pods: an event's type is none of ADDED, MODIFIED, DELETED, BOOKMARK, "
        "ERROR"};
  }
  event.type = type == "DELETED" ? PodEvent::Type::kDeleted : PodEvent::Type::kChanged;
  event.pod = to_pod(object);
  if (event.pod.pod.uid.empty()) return Error{"watch of pods: an object has no metadata.uid"};
  return event;
}

}  // namespace volumeter
