#include "support/api_server.h"

namespace volumeter::test {

void put_claim(ApiServer& api, const ClaimSpec& c) {
  const std::string common = R"("accessModes":[")" + c.access_mode + R"("],"storageClassName":")" +
                             c.storage_class + R"(","volumeMode":")" + c.mode + "\"";
  const std::string capacity =
      R"("capacity":{"storage":")" + (c.capacity.empty() ? c.storage : c.capacity) + "\"}";
  const std::string source =
      c.source_json.empty() ? R"("csi":{"driver":"demo.csi","volumeHandle":"h-)" + c.volume + "\"}"
                            : c.source_json;
  api.put("/api/v1/namespaces/" + c.namespace_ + "/persistentvolumeclaims/" + c.name,
          R"({"kind":"PersistentVolumeClaim","metadata":{"namespace":")" + c.namespace_ +
              R"(","name":")" + c.name + R"(","annotations":{)" + c.annotations_json +
              R"(}},"spec":{"volumeName":")" + c.volume +
              R"(","resources":{"requests":{"storage":")" + c.storage + "\"}}," + common +
              R"(},"status":{)" + capacity + "}}");
  api.put("/api/v1/persistentvolumes/" + c.volume,
          R"({"kind":"PersistentVolume","metadata":{"name":")" + c.volume + R"("},"spec":{)" +
              capacity + R"(,"persistentVolumeReclaimPolicy":"Delete","claimRef":{"namespace":")" +
              c.namespace_ + R"(","name":")" + c.name + "\"}," + source + "," + common + "}}");
  api.put("/apis/storage.k8s.io/v1/storageclasses/" + c.storage_class,
          R"({"kind":"StorageClass","metadata":{"name":")" + c.storage_class +
              R"("},"provisioner":"demo.csi","reclaimPolicy":"Delete"})");
}

std::string claim_volume_json(const std::string& name, const std::string& claim) {
  return R"({"name":")" + name + R"(","persistentVolumeClaim":{"claimName":")" + claim + "\"}}";
}

std::string pod_json(const std::string& ns, const std::string& name, const std::string& uid,
                     const std::string& volumes, const std::string& owner_kind,
                     const std::string& owner_name, bool deleting) {
  std::string meta = R"("namespace":")" + ns + R"(","name":")" + name + R"(","uid":")" + uid + "\"";
  if (deleting) meta += R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")";
  if (owner_kind == "ReplicaSet") {
    meta += R"(,"labels":{"pod-template-hash":")" + owner_name.substr(owner_name.rfind('-') + 1) +
            "\"}";
  }
  if (!owner_kind.empty()) {
    meta += R"(,"ownerReferences":[{"kind":")" + owner_kind + R"(","name":")" + owner_name +
            R"(","controller":true}])";
  }
  return R"({"metadata":{)" + meta + R"(},"spec":{"nodeName":"demo-node","volumes":[)" + volumes +
         R"(]},"status":{"phase":"Running"}})";
}

}  // namespace volumeter::test
