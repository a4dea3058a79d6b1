// HTTPS to the Kubernetes API server and a kubelet, with the pod's token: several requests and a
// long watch at a time, in one thread. Everything but wake() belongs to that thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kube/request_stats.h"
#include "volumeter/result.h"

namespace volumeter {

struct ApiOptions {
  std::string source;         // "apiserver" or "kubelet": in messages and metrics
  std::string url;            // "https://10.0.0.1:443"; empty: there is none
  std::string token_file;     // read before each request, so a rotated token is picked up
  std::string ca_file;        // empty: the system's CAs
  bool insecure_tls = false;  // the server's certificate isn't verified
  std::size_t response_limit = 64U << 20;  // bytes, after decompression
  std::size_t line_limit = 16U << 20;      // bytes of one event of a watch
};

struct ApiRequest {
  std::string resource = {};  // "pods": in messages and metrics
  std::string verb = {};      // "get", "list", "watch", "create" or "update": in metrics
  std::string path = {};      // with its query
  std::string body = {};      // JSON: of a create (POST) or update (PUT)
  std::chrono::milliseconds timeout{10000};
  // A watch: called when a 200 answer begins, and with each of its lines as it comes, until one
  // returns false, which ends the watch. Neither may call the client.
  std::function<void()> on_open = {};
  std::function<bool(std::string_view)> on_line = {};
};

struct ApiAnswer {
  int status = 0;       // HTTP's; 0 when no whole answer came
  std::string body;     // of a 200 or 201 answer that isn't a watch
  std::string problem;  // empty for a whole one of those; else the path, the status and the reason
  std::optional<std::chrono::seconds> retry_after;  // what the server asked for
};

// What the clients of one thread share: it moves their requests along.
class RequestLoop {
 public:
  RequestLoop();
  ~RequestLoop();  // after its clients
  RequestLoop(const RequestLoop&) = delete;
  RequestLoop& operator=(const RequestLoop&) = delete;

  // Calls back what has ended; waits at most `limit` for something to happen, and returns early
  // after wake().
  void run(std::chrono::milliseconds limit);
  void wake();  // any thread

 private:
  friend class ApiClient;
  void* multi_;  // a CURLM
};

// One server.
class ApiClient {
 public:
  using Callback = std::function<void(const ApiAnswer&)>;

  ApiClient(RequestLoop& loop, ApiOptions options);
  ~ApiClient();  // drops what is under way; its callbacks aren't called
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  [[nodiscard]] const ApiOptions& options() const;

  // Never blocks on the network. `done` is called once, from the loop's run().
  void start(ApiRequest request, Callback done);

  // Of all requests so far, those under way included in the bytes.
  [[nodiscard]] RequestStats stats() const;

 private:
  friend class RequestLoop;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A path segment or query value, percent-encoded (RFC 3986).
std::string percent_encode(std::string_view text);

}  // namespace volumeter
