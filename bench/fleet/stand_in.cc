#include "fleet/stand_in.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <utility>

namespace volumeter::bench {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::ifstream fixture(const std::string& name) {
  std::ifstream file(std::string(SOURCE_DIR) + "/tests/fixtures/apiserver/" + name);
  if (!file) die("tests/fixtures/apiserver/" + name + " can't be read");
  return file;
}

// The object of the event that tells of the pod `name`.
std::string recorded_pod(const std::string& name) {
  std::ifstream file = fixture("watch-pods-node1.jsonl");
  const std::string object = "\"object\":";
  for (std::string line; std::getline(file, line);) {
    const auto at = line.find(object);
    if (line.find("\"name\":\"" + name + "\"") != std::string::npos && at != std::string::npos) {
      return line.substr(at + object.size(), line.rfind('}') - at - object.size());
    }
  }
  die("no pod " + name + " was recorded");
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string kind_of(const std::string& path) {
  for (const auto& [part, kind] :
       std::map<std::string, std::string>{{"/persistentvolumeclaims/", "claims"},
                                          {"/persistentvolumes/", "volumes"},
                                          {"/storageclasses/", "classes"}}) {
    if (path.find(part) != std::string::npos) return kind;
  }
  return path == "/api/v1/pods" ? "pods" : "namespaces";
}

}  // namespace

std::uint64_t Traffic::total() const {
  return std::accumulate(requests.begin(), requests.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& entry) { return sum + entry.second; });
}

std::uint64_t Traffic::peak() const {
  std::uint64_t most = 0;
  for (const auto& [second, count] : by_second) most = std::max(most, count);
  return most;
}

struct StandIn::Watch {
  StandIn* server;
  MHD_Connection* connection;
  Clock::time_point until;
  Clock::time_point bookmark;
  bool suspended = false;  // guarded by the server's mutex

  ssize_t read(char* out, std::size_t room) {
    const auto now = Clock::now();
    if (server->ending_ || now >= until) return MHD_CONTENT_READER_END_OF_STREAM;
    const std::lock_guard lock(server->mutex_);
    if (now >= bookmark) {
      bookmark = now + server->bookmarks_;
      const std::string line =
          R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{)"
          R"("resourceVersion":"1234567","creationTimestamp":null},"spec":{"containers":null},)"
          R"("status":{}}})"
          "\n";
      server->traffic_.bytes += line.size();
      return static_cast<ssize_t>(line.copy(out, room));
    }
    suspended = true;
    MHD_suspend_connection(connection);
    return 0;
  }
};

struct Handler {
  static MHD_Result handle(void* self, MHD_Connection* connection, const char* url,
                           const char* /*method*/, const char* /*version*/, const char* /*upload*/,
                           std::size_t* /*size*/, void** context) {
    static int seen = 0;
    if (*context == nullptr) {
      *context = &seen;
      return MHD_YES;
    }
    auto& server = *static_cast<StandIn*>(self);
    const auto argument = [&](const char* name) {
      const char* value = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
      return std::string(value == nullptr ? "" : value);
    };
    const std::string path = url;
    const bool watch = !argument("watch").empty();
    const std::string verb = watch ? "watch " : path == "/api/v1/pods" ? "list " : "get ";
    const std::string what = verb + kind_of(path);
    if (server.refusing_) return send(server, connection, what, {429, "{\"kind\":\"Status\"}"});
    if (!watch) {
      return send(server, connection, what,
                  server.answer(path, last_part(argument("fieldSelector"))));
    }
    server.count(what, 0);
    return stream(server, connection,
                  std::chrono::seconds(std::atoi(argument("timeoutSeconds").c_str())));
  }

  static MHD_Result send(StandIn& server, MHD_Connection* connection, const std::string& what,
                         const StandIn::Body& body) {
    server.count(what, body.text.size());
    MHD_Response* response = MHD_create_response_from_buffer(
        body.text.size(), const_cast<char*>(body.text.data()), MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", "application/json");
    if (body.status == 429) MHD_add_response_header(response, "Retry-After", "1");
    const MHD_Result queued =
        MHD_queue_response(connection, static_cast<unsigned>(body.status), response);
    MHD_destroy_response(response);
    return queued;
  }

  static MHD_Result stream(StandIn& server, MHD_Connection* connection, std::chrono::seconds time) {
    ++server.watches_;
    auto* watch = new StandIn::Watch{&server, connection, Clock::now() + time,
                                     Clock::now() + server.bookmarks_};
    {
      const std::lock_guard lock(server.mutex_);
      server.sleeping_.insert(watch);
    }
    MHD_Response* response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 1024,
        [](void* self, std::uint64_t, char* out, std::size_t room) {
          return static_cast<StandIn::Watch*>(self)->read(out, room);
        },
        watch,
        [](void* self) {
          auto* closed = static_cast<StandIn::Watch*>(self);
          const std::lock_guard lock(closed->server->mutex_);
          closed->server->sleeping_.erase(closed);
          --closed->server->watches_;
          delete closed;
        });
    const MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
  }
};

StandIn::StandIn(std::chrono::milliseconds bookmarks)
    : bookmarks_(bookmarks),
      pod_with_claims_(recorded_pod("pg-0")),
      other_pod_(recorded_pod("web-7b76b8cc7b-fdq97")) {
  std::ifstream file = fixture("phase-pvc-resized.json");
  claim_.assign(std::istreambuf_iterator<char>(file), {});
  start();
}

StandIn::~StandIn() { stop(); }

void StandIn::start() {
  ending_ = false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  daemon_ =
      MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr,
                       nullptr, Handler::handle, this, MHD_OPTION_SOCK_ADDR, &address,
                       MHD_OPTION_CONNECTION_LIMIT, 60000U, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
                       MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096U, MHD_OPTION_END);
  if (daemon_ == nullptr) die("the stand-in can't listen");
  port_ = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port;
  tender_ = std::jthread([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(100ms);
      tend_watches();
    }
  });
}

void StandIn::stop() {
  if (daemon_ == nullptr) return;
  ending_ = true;
  tender_ = {};
  tend_watches();
  MHD_stop_daemon(daemon_);
  daemon_ = nullptr;
}

// Those that have something to say.
void StandIn::tend_watches() {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  for (Watch* watch : sleeping_) {
    if (!watch->suspended || !(ending_ || now >= std::min(watch->until, watch->bookmark))) continue;
    watch->suspended = false;
    MHD_resume_connection(watch->connection);
  }
}

StandIn::Body StandIn::answer(const std::string& path, const std::string& node_selector) {
  const std::string name = last_part(path);
  const std::string kind = kind_of(path);
  if (kind == "pods") {
    const std::string node = node_selector.substr(node_selector.find('=') + 1);
    std::string items;
    for (int i = 0; i < kPodsWithClaims + kOtherPods; ++i) {
      const std::string pod = node + "-" + std::to_string(i);
      std::string json = i < kPodsWithClaims ? replaced(pod_with_claims_, "pg-0", pod) : other_pod_;
      const auto uid = json.find("\"uid\":\"", json.find("\"metadata\"")) + 7;
      json.replace(uid, json.find('"', uid) - uid, "uid-" + pod);
      items += (items.empty() ? "" : ",") + json;
    }
    return {200,
            R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[)" +
                items + "]}"};
  }
  if (kind == "claims") {
    return {200, replaced(replaced(claim_, "csi-fs", name), "f3be7e8f-b51b-4ec2-b8d5-252a6b31ac8f",
                          name)};
  }
  if (kind == "volumes") {
    return {
        200,
        R"({"kind":"PersistentVolume","metadata":{"name":")" + name +
            R"("},"spec":{"capacity":{"storage":"128Mi"},"csi":{"driver":"hostpath.csi.k8s.io",)"
            R"("volumeHandle":")" +
            name + R"("},"storageClassName":"csi-hostpath-sc"}})"};
  }
  if (kind == "classes") {
    return {200, R"({"kind":"StorageClass","metadata":{"name":")" + name +
                     R"("},"provisioner":"hostpath.csi.k8s.io","reclaimPolicy":"Delete"})"};
  }
  return {200, R"({"kind":"Namespace","metadata":{"name":")" + name + "\"}}"};
}

void StandIn::count(const std::string& what, std::size_t bytes) {
  const auto second =
      std::chrono::duration_cast<std::chrono::seconds>(Clock::now().time_since_epoch()).count();
  const std::lock_guard lock(mutex_);
  ++traffic_.requests[what];
  ++traffic_.by_second[second];
  traffic_.bytes += bytes;
}

Traffic StandIn::take_traffic() {
  const std::lock_guard lock(mutex_);
  return std::exchange(traffic_, {});
}

}  // namespace volumeter::bench
