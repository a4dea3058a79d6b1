// GET requests to the Kubernetes API server, with the pod's token. One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "volumeter/result.h"

namespace volumeter {

struct ApiOptions {
  std::string url;         // "https://10.0.0.1:443"; empty: no API server
  std::string token_file;  // read before each request, so a rotated token is picked up
  std::string ca_file;     // empty: the system's CAs
  long timeout_seconds = 10;
  std::size_t response_limit = 64U << 20;  // bytes, after decompression
};

class ApiClient {
 public:
  explicit ApiClient(ApiOptions options);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // The body of a 200 answer. An error names the path, the HTTP status and the server's own
  // message; its code is the HTTP status, or 0 when there was no answer. Blocks for at most
  // timeout_seconds.
  Result<std::string> get(const std::string& path);

  // Any thread: a get under way, and each later one, fails within about a second.
  void abort();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A path segment or query value, percent-encoded (RFC 3986).
std::string percent_encode(std::string_view text);

}  // namespace volumeter
