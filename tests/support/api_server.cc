#include "support/api_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include <cstdlib>
#include <utility>

namespace volumeter::test {

struct ApiServer::State {
  mutable std::mutex mutex;
  std::map<std::string, std::string> objects;
  std::map<std::string, std::string> queries;
  std::string token;
  int failure = 0;
  int requests = 0;
  MHD_Daemon* daemon = nullptr;
};

namespace {

MHD_Result collect_query(void* out, MHD_ValueKind /*kind*/, const char* key, const char* value) {
  auto& query = *static_cast<std::string*>(out);
  query += (query.empty() ? "" : "&") + std::string(key) + "=" + (value == nullptr ? "" : value);
  return MHD_YES;
}

std::pair<int, std::string> status(int code, const std::string& message) {
  return {code, R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")" + message +
                    R"(","code":)" + std::to_string(code) + "}"};
}

std::pair<int, std::string> answer(ApiServer::State& state, MHD_Connection* connection,
                                   const std::string& path) {
  const std::lock_guard lock(state.mutex);
  ++state.requests;
  std::string query;
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, collect_query, &query);
  state.queries[path] = query;
  const char* given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
  if (!state.token.empty() && (given == nullptr || "Bearer " + state.token != given)) {
    return status(401, "Unauthorized");
  }
  if (state.failure != 0) return status(state.failure, "as told");
  const auto it = state.objects.find(path);
  return it == state.objects.end() ? status(404, path + " not found")
                                   : std::make_pair(200, it->second);
}

MHD_Result handle(void* self, MHD_Connection* connection, const char* url, const char* /*method*/,
                  const char* /*version*/, const char* /*upload*/, size_t* /*size*/,
                  void** context) {
  if (*context == nullptr) {
    *context = self;
    return MHD_YES;
  }
  auto [code, body] = answer(*static_cast<ApiServer::State*>(self), connection, url);
  MHD_Response* response =
      MHD_create_response_from_buffer(body.size(), body.data(), MHD_RESPMEM_MUST_COPY);
  MHD_add_response_header(response, "Content-Type", "application/json");
  const MHD_Result queued = MHD_queue_response(connection, static_cast<unsigned>(code), response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

ApiServer::ApiServer() : state_(std::make_unique<State>()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  state_->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, nullptr, nullptr, handle,
                                    state_.get(), MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_END);
  if (state_->daemon == nullptr) std::abort();
}

ApiServer::~ApiServer() { MHD_stop_daemon(state_->daemon); }

std::string ApiServer::url() const {
  const auto* info = MHD_get_daemon_info(state_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return "http://127.0.0.1:" + std::to_string(info->port);
}

void ApiServer::put(const std::string& path, std::string json) {
  const std::lock_guard lock(state_->mutex);
  state_->objects[path] = std::move(json);
}
void ApiServer::remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->objects.erase(path);
}
void ApiServer::fail_with(int status) {
  const std::lock_guard lock(state_->mutex);
  state_->failure = status;
}
void ApiServer::require_token(std::string token) {
  const std::lock_guard lock(state_->mutex);
  state_->token = std::move(token);
}
std::string ApiServer::last_query(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto it = state_->queries.find(path);
  return it == state_->queries.end() ? "" : it->second;
}
int ApiServer::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->requests;
}

void put_claim(ApiServer& api, const ClaimSpec& c) {
  const std::string common = R"("accessModes":[")" + c.access_mode + R"("],"storageClassName":")" +
                             c.storage_class + R"(","volumeMode":")" + c.mode + "\"";
  api.put("/api/v1/namespaces/" + c.namespace_ + "/persistentvolumeclaims/" + c.name,
          R"({"kind":"PersistentVolumeClaim","metadata":{"namespace":")" + c.namespace_ +
              R"(","name":")" + c.name + R"("},"spec":{"volumeName":")" + c.volume +
              R"(","resources":{"requests":{"storage":")" + c.storage + "\"}}," + common + "}}");
  api.put("/api/v1/persistentvolumes/" + c.volume,
          R"({"kind":"PersistentVolume","metadata":{"name":")" + c.volume +
              R"("},"spec":{"capacity":{"storage":")" + c.storage +
              R"("},"persistentVolumeReclaimPolicy":"Delete","claimRef":{"namespace":")" +
              c.namespace_ + R"(","name":")" + c.name + "\"}," + c.source_json + "," + common +
              "}}");
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
  if (!owner_kind.empty()) {
    meta += R"(,"ownerReferences":[{"kind":")" + owner_kind + R"(","name":")" + owner_name +
            R"(","controller":true}])";
  }
  return R"({"metadata":{)" + meta + R"(},"spec":{"nodeName":"demo-node","volumes":[)" + volumes +
         R"(]},"status":{"phase":"Running"}})";
}

std::string pod_list_json(const std::string& pods) {
  return R"({"kind":"PodList","apiVersion":"v1","items":[)" + pods + "]}";
}

}  // namespace volumeter::test
