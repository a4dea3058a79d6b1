// The HTTP server: one thread of libmicrohttpd's for each listen address, whatever the clients do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "volumeter/result.h"
#include "web/connections.h"

namespace volumeter {

struct Request {
  std::string method;
  std::string path;
  std::string accept;
  std::string user_agent;
  bool accepts_gzip = false;
  std::string name_space;  // ?namespace=
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  bool gzipped = false;  // body is a gzip stream already
};

// Called on an HTTP thread; with several listen addresses, on several at once. Must not block.
using Handler = std::function<Response(const Request&)>;

// "host:port", "[::1]:port", ":port" (IPv6 and IPv4).
struct ListenAddress {
  std::string host;
  std::string port;
};
Result<ListenAddress> parse_listen_address(const std::string& text);

class Gate;

class Server {
 public:
  // `gate` outlives the server; null: everybody may ask, in the clear. Listens on every address or
  // none: an error names the one that can't be had and why.
  static Result<std::unique_ptr<Server>> start(const std::vector<ListenAddress>& addresses,
                                               ConnectionLimits limits, Handler handler,
                                               Gate* gate = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Enforces deadlines, and takes new certificates and users. Call every few seconds, from one
  // thread.
  void sweep();

  // The ports really listened on, in order: port 0 asks the kernel for one.
  [[nodiscard]] std::vector<int> ports() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace volumeter
