#include "support/api_server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <zlib.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "support/process.h"

namespace volumeter::test {

struct Answer {
  int status = 200;
  std::string body;
  std::string retry_after;
};

struct ApiServer::State {
  mutable std::mutex mutex;
  std::condition_variable news;
  std::map<std::string, std::string> objects;
  std::map<std::string, std::string> pods;  // by uid
  int writes = 0;                           // so far: the objects' resourceVersions
  std::vector<std::string> events;          // the event at index i has version i + 1
  std::size_t oldest = 0;                   // versions before this are forgotten
  bool gone_by_status = false;
  std::vector<std::string> raw;  // lines for the watches that are open
  int watch_generation = 0;
  bool watches_break = false;
  int open_watches = 0;
  std::map<std::string, Answer> answers;  // by path prefix
  std::map<std::string, std::string> queries;
  std::vector<std::string> requests;
  std::string token;
  int failure = 0;
  int watch_failure = 0;
  bool cut = false;
  std::chrono::milliseconds delay{0};
  bool stopping = false;
  MHD_Daemon* daemon = nullptr;
  std::string key;
  std::string certificate;
};

namespace {

MHD_Result collect_query(void* out, MHD_ValueKind /*kind*/, const char* key, const char* value) {
  auto& query = *static_cast<std::string*>(out);
  query += (query.empty() ? "" : "&") + std::string(key) + "=" + (value == nullptr ? "" : value);
  return MHD_YES;
}

Answer status(int code, const std::string& message) {
  return {code,
          R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")" + message +
              R"(","code":)" + std::to_string(code) + "}",
          ""};
}

std::string pod_list(const ApiServer::State& state, bool kubelet) {
  std::string items;
  for (const auto& [uid, json] : state.pods) items += (items.empty() ? "" : ",") + json;
  const std::string version =
      kubelet ? "" : "\"resourceVersion\":\"" + std::to_string(state.events.size() + 1) + "\"";
  return R"({"kind":"PodList","apiVersion":"v1","metadata":{)" + version + R"(},"items":[)" +
         items + "]}";
}

// A create at a collection or an update at an object, with the optimistic lock of resourceVersion.
Answer store(ApiServer::State& state, const std::string& path, const std::string& body) {
  nlohmann::json object = nlohmann::json::parse(body, nullptr, false);
  if (!object.is_object()) return status(400, "no object");
  const bool update = state.objects.contains(path);
  const std::string name = object["metadata"].value("name", "");
  const std::string at = update ? path : path + "/" + name;
  if (!update && state.objects.contains(at)) return status(409, "AlreadyExists");
  const std::string given = object["metadata"].value("resourceVersion", "");
  if (update) {
    const auto now = nlohmann::json::parse(state.objects[at]);
    if (now["metadata"].value("resourceVersion", "") != given) return status(409, "Conflict");
  }
  object["metadata"]["resourceVersion"] = std::to_string(++state.writes);
  state.objects[at] = object.dump();
  return {update ? 200 : 201, state.objects[at], ""};
}

Answer answer(ApiServer::State& state, MHD_Connection* connection, const std::string& path,
              const std::string& body) {
  const std::lock_guard lock(state.mutex);
  state.requests.push_back(path);
  std::string query;
  MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, collect_query, &query);
  state.queries[path] = query;
  const char* given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
  if (!state.token.empty() && (given == nullptr || "Bearer " + state.token != given)) {
    return status(401, "Unauthorized");
  }
  if (state.failure != 0) return status(state.failure, "as told");
  for (const auto& [prefix, special] : state.answers) {
    if (path.starts_with(prefix)) return special;
  }
  if (path == "/api/v1/pods" || path == "/pods") {
    return {200, pod_list(state, path == "/pods"), ""};
  }
  if (!body.empty()) return store(state, path, body);
  const auto it = state.objects.find(path);
  return it == state.objects.end() ? status(404, path + " not found") : Answer{200, it->second, ""};
}

// One open watch: hands out events, then waits for more.
struct Watch {
  ApiServer::State& state;
  std::size_t next_event;
  std::size_t next_raw;
  int generation;
  std::string pending;
  std::chrono::steady_clock::time_point until;

  ssize_t read(char* out, std::size_t room) {
    std::unique_lock lock(state.mutex);
    for (;;) {
      if (pending.empty() && next_event < state.events.size()) {
        pending = state.events[next_event++];
        if (pending.empty()) continue;
        pending += "\n";
      } else if (pending.empty() && next_raw < state.raw.size()) {
        pending = state.raw[next_raw++] + "\n";
      }
      if (!pending.empty()) {
        const std::size_t n = std::min(room, pending.size());
        pending.copy(out, n);
        pending.erase(0, n);
        return static_cast<ssize_t>(n);
      }
      if (state.stopping) return MHD_CONTENT_READER_END_OF_STREAM;
      if (generation != state.watch_generation) {
        return state.watches_break ? MHD_CONTENT_READER_END_WITH_ERROR
                                   : MHD_CONTENT_READER_END_OF_STREAM;
      }
      if (state.news.wait_until(lock, until) == std::cv_status::timeout &&
          std::chrono::steady_clock::now() >= until) {
        return MHD_CONTENT_READER_END_OF_STREAM;
      }
    }
  }
};

std::chrono::seconds watch_time(MHD_Connection* connection) {
  const char* given =
      MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "timeoutSeconds");
  return std::chrono::seconds(given == nullptr ? 1800 : std::atoi(given));
}

MHD_Response* watch_response(ApiServer::State& state, MHD_Connection* connection) {
  const char* version =
      MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "resourceVersion");
  const std::lock_guard lock(state.mutex);
  const std::size_t from = version == nullptr ? 1 : std::strtoul(version, nullptr, 10);
  auto* watch = new Watch{state,
                          from - 1,
                          state.raw.size(),
                          state.watch_generation,
                          "",
                          std::chrono::steady_clock::now() + watch_time(connection)};
  if (from <= state.oldest) {
    watch->pending = R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",)"
                     R"("message":"too old resource version"}})"
                     "\n";
    watch->generation = -1;
  }
  ++state.open_watches;
  return MHD_create_response_from_callback(
      MHD_SIZE_UNKNOWN, 4096,
      [](void* self, std::uint64_t, char* out, std::size_t room) {
        return static_cast<Watch*>(self)->read(out, room);
      },
      watch,
      [](void* self) {
        auto* closed = static_cast<Watch*>(self);
        {
          const std::lock_guard state_lock(closed->state.mutex);
          --closed->state.open_watches;
        }
        delete closed;
      });
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A body whose sender vanishes in the middle.
MHD_Response* half_response(const std::string& body) {
  auto* half = new std::string(body.substr(0, body.size() / 2));
  return MHD_create_response_from_callback(
      body.size(), 4096,
      [](void* self, std::uint64_t at, char* out, std::size_t room) -> ssize_t {
        const auto& text = *static_cast<std::string*>(self);
        if (at >= text.size()) return MHD_CONTENT_READER_END_WITH_ERROR;
        return static_cast<ssize_t>(text.copy(out, room, at));
      },
      half, [](void* self) { delete static_cast<std::string*>(self); });
}

MHD_Response* body_response(ApiServer::State& state, MHD_Connection* connection,
                            const Answer& answer) {
  if (state.cut && answer.status == 200) return half_response(answer.body);
  const char* accepts = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept-Encoding");
  const bool zip = accepts != nullptr && std::string(accepts).find("gzip") != std::string::npos &&
                   answer.body.size() > 1024;
  const std::string body = zip ? gzipped(answer.body) : answer.body;
  MHD_Response* response = MHD_create_response_from_buffer(
      body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
  if (zip) MHD_add_response_header(response, "Content-Encoding", "gzip");
  if (!answer.retry_after.empty()) {
    MHD_add_response_header(response, "Retry-After", answer.retry_after.c_str());
  }
  return response;
}

void wait_as_told(ApiServer::State& state) {
  std::unique_lock lock(state.mutex);
  const auto until = std::chrono::steady_clock::now() + state.delay;
  state.news.wait_until(lock, until, [&] { return state.delay.count() == 0 || state.stopping; });
}

bool is_too_old_by_status(ApiServer::State& state, MHD_Connection* connection) {
  const char* version =
      MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "resourceVersion");
  const std::lock_guard lock(state.mutex);
  return state.gone_by_status && version != nullptr &&
         std::strtoul(version, nullptr, 10) <= state.oldest;
}

MHD_Result handle(void* self, MHD_Connection* connection, const char* url, const char* /*method*/,
                  const char* /*version*/, const char* upload, size_t* size, void** context) {
  if (*context == nullptr) {
    *context = new std::string;
    return MHD_YES;
  }
  auto& body = *static_cast<std::string*>(*context);
  if (*size > 0) {
    body.append(upload, *size);
    *size = 0;
    return MHD_YES;
  }
  auto& state = *static_cast<ApiServer::State*>(self);
  Answer given = answer(state, connection, url, body);
  const bool watch =
      std::string(url) == "/api/v1/pods" &&
      MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "watch") != nullptr;
  if (watch && given.status == 200 && is_too_old_by_status(state, connection)) {
    given = status(410, "too old resource version");
  }
  if (watch && state.watch_failure != 0) given = status(state.watch_failure, "no watching");
  const bool stream = watch && given.status == 200;
  if (!stream) wait_as_told(state);
  MHD_Response* response =
      stream ? watch_response(state, connection) : body_response(state, connection, given);
  MHD_add_response_header(response, "Content-Type", "application/json");
  const MHD_Result queued =
      MHD_queue_response(connection, static_cast<unsigned>(given.status), response);
  MHD_destroy_response(response);
  return queued;
}

void completed(void* /*self*/, MHD_Connection* /*connection*/, void** context,
               MHD_RequestTerminationCode /*why*/) {
  delete static_cast<std::string*>(*context);
  *context = nullptr;
}

std::string watch_event(const std::string& type, const std::string& pod, std::size_t version) {
  // The version goes into the pod's own metadata, as the API server writes it.
  std::string object = pod;
  const std::string meta = "\"metadata\":{";
  object.insert(object.find(meta) + meta.size(),
                "\"resourceVersion\":\"" + std::to_string(version) + "\",");
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

}  // namespace

ApiServer::ApiServer(const std::string& key, const std::string& certificate)
    : state_(std::make_unique<State>()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD;
  std::vector<MHD_OptionItem> tls;
  if (!key.empty()) {
    flags |= MHD_USE_TLS;
    state_->key = read_all(key);
    state_->certificate = read_all(certificate);
    tls.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, state_->key.data()});
    tls.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, state_->certificate.data()});
  }
  tls.push_back({MHD_OPTION_END, 0, nullptr});
  state_->daemon =
      MHD_start_daemon(flags, 0, nullptr, nullptr, handle, state_.get(), MHD_OPTION_SOCK_ADDR,
                       &address, MHD_OPTION_NOTIFY_COMPLETED, completed, nullptr, MHD_OPTION_ARRAY,
                       tls.data(), MHD_OPTION_END);
  if (state_->daemon == nullptr) std::abort();
}

ApiServer::~ApiServer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->news.notify_all();
  MHD_stop_daemon(state_->daemon);
}

std::string ApiServer::url() const {
  const auto* info = MHD_get_daemon_info(state_->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return (state_->key.empty() ? "http" : "https") + std::string("://127.0.0.1:") +
         std::to_string(info->port);
}

void ApiServer::put(const std::string& path, std::string json) {
  const std::lock_guard lock(state_->mutex);
  state_->objects[path] = std::move(json);
}
std::string ApiServer::object(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto it = state_->objects.find(path);
  return it == state_->objects.end() ? std::string() : it->second;
}

void ApiServer::remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->objects.erase(path);
}
void ApiServer::set_pod(const std::string& uid, const std::string& json) {
  {
    const std::lock_guard lock(state_->mutex);
    const bool known = state_->pods.contains(uid);
    state_->pods[uid] = json;
    state_->events.push_back(
        watch_event(known ? "MODIFIED" : "ADDED", json, state_->events.size() + 2));
  }
  state_->news.notify_all();
}
void ApiServer::remove_pod(const std::string& uid) {
  {
    const std::lock_guard lock(state_->mutex);
    const auto it = state_->pods.find(uid);
    if (it == state_->pods.end()) return;
    state_->events.push_back(watch_event("DELETED", it->second, state_->events.size() + 2));
    state_->pods.erase(it);
  }
  state_->news.notify_all();
}
void ApiServer::fail_with(int status) {
  const std::lock_guard lock(state_->mutex);
  state_->failure = status;
}
void ApiServer::answer_with(const std::string& path, int status, const std::string& body,
                            const std::string& retry_after) {
  const std::lock_guard lock(state_->mutex);
  state_->answers[path] = {status, body, retry_after};
}
void ApiServer::serve(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->answers.erase(path);
}
void ApiServer::refuse_watches(int status) {
  const std::lock_guard lock(state_->mutex);
  state_->watch_failure = status;
}
void ApiServer::cut(bool on) {
  const std::lock_guard lock(state_->mutex);
  state_->cut = on;
}
void ApiServer::delay(std::chrono::milliseconds pause) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->delay = pause;
  }
  state_->news.notify_all();
}
void ApiServer::require_token(std::string token) {
  const std::lock_guard lock(state_->mutex);
  state_->token = std::move(token);
}
void ApiServer::forget_history(bool by_status) {
  const std::lock_guard lock(state_->mutex);
  state_->gone_by_status = by_status;
  state_->oldest = state_->events.size() + 1;
  state_->events.emplace_back();  // a change of something else: the version goes on
}
void ApiServer::send_to_watches(const std::string& line) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->raw.push_back(line);
  }
  state_->news.notify_all();
}
void ApiServer::end_watches() {
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->watch_generation;
    state_->watches_break = false;
  }
  state_->news.notify_all();
}
void ApiServer::break_watches() {
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->watch_generation;
    state_->watches_break = true;
  }
  state_->news.notify_all();
}
std::string ApiServer::last_query(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto it = state_->queries.find(path);
  return it == state_->queries.end() ? "" : it->second;
}
int ApiServer::requests(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  int count = 0;
  for (const std::string& request : state_->requests) count += request.starts_with(path) ? 1 : 0;
  return count;
}
int ApiServer::open_watches() const {
  const std::lock_guard lock(state_->mutex);
  return state_->open_watches;
}

}  // namespace volumeter::test
