#include "web/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "host/unique_fd.h"
#include "web/gate.h"

namespace volumeter {
namespace {

using Clock = Connections::Clock;

// MHD's own limit lies above ours, so that a newcomer gets in while the one that made room for it
// is still being closed.
constexpr unsigned kLibraryLimit = 1024;
// Answers that clients haven't taken yet: each may be a megabyte. One more costs the slowest reader
// its connection.
constexpr int kMaxUnsent = 24;

const std::map<std::string, std::string> kSecurityHeaders = {
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
     "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"}};

// What the library is told of TLS; nothing without.
class TlsOptions {
 public:
  explicit TlsOptions(Tls* tls) : tls_(tls) {
    if (tls == nullptr) return;
    priorities_ = tls->priorities();
    options_.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, priorities_.data()});
    options_.push_back(
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, reinterpret_cast<void*>(&Tls::retrieve)});
    if (!tls->trust().empty()) {
      options_.push_back({MHD_OPTION_HTTPS_MEM_TRUST, 0, const_cast<char*>(tls->trust().c_str())});
    }
  }
  [[nodiscard]] unsigned flag() const {
    return tls_ == nullptr ? 0U : static_cast<unsigned>(MHD_USE_TLS);
  }
  MHD_OptionItem* options() {
    if (options_.empty() || options_.back().option != MHD_OPTION_END) {
      options_.push_back({MHD_OPTION_END, 0, nullptr});
    }
    return options_.data();
  }

 private:
  Tls* tls_;
  std::string priorities_;
  std::vector<MHD_OptionItem> options_;
};

std::string address_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  } else if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  }
  return text.data();
}

Result<UniqueFd> listen_on(const ListenAddress& address) {
  const std::string shown = address.host + ":" + address.port;
  addrinfo hints{};
  hints.ai_family = address.host.empty() ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  if (const int code = ::getaddrinfo(host, address.port.c_str(), &hints, &found); code != 0) {
    return Error{"listen on " + shown + ": " + ::gai_strerror(code)};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd && host == nullptr && errno == EAFNOSUPPORT) {  // a kernel without IPv6
    return listen_on({"0.0.0.0", address.port});
  }
  if (!fd) return Error::from_errno("listen on " + shown, errno);
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, host == nullptr ? &off : &on, sizeof on);
  }
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd.get(), 512) != 0) {
    return Error::from_errno("listen on " + shown, errno);
  }
  return fd;
}

int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

std::string header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? std::string() : value;
}

bool announces_body(MHD_Connection* connection) {
  const std::string length = header(connection, "Content-Length");
  return !header(connection, "Transfer-Encoding").empty() || (!length.empty() && length != "0");
}

// RFC 9110, 12.5.3, as far as it matters: gzip is listed and not refused with q=0.
bool accepts_gzip(const std::string& accept_encoding) {
  const auto at = accept_encoding.find("gzip");
  if (at == std::string::npos) return false;
  const auto rest = accept_encoding.substr(at + 4, accept_encoding.find(',', at) - at - 4);
  return rest.find("q=0") == std::string::npos || rest.find("q=0.") != std::string::npos;
}

}  // namespace

struct Server::Impl {
  Impl(ConnectionLimits limits, Handler given, Gate* own_gate)
      : connections(limits), handler(std::move(given)), gate(own_gate) {}
  ~Impl() {
    for (MHD_Daemon* daemon : daemons) MHD_stop_daemon(daemon);
  }

  static void notify_connection(void* self, MHD_Connection* connection, void** /*context*/,
                                MHD_ConnectionNotificationCode code) {
    auto& connections = static_cast<Impl*>(self)->connections;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) return connections.closed(connection);
    const auto* fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const auto* client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    connections.opened(connection, fd->connect_fd, address_of(client->client_addr), Clock::now());
  }

  static MHD_Result handle(void* self, MHD_Connection* connection, const char* url,
                           const char* method, const char* /*version*/, const char* /*upload*/,
                           std::size_t* upload_size, void** context) {
    auto& impl = *static_cast<Impl*>(self);
    if (*context == nullptr) {  // the header is complete
      *context = &impl;
      impl.connections.request_began(connection, Clock::now());
      if (!announces_body(connection)) return MHD_YES;
      return impl.send(connection, {413, "text/plain", "no request here has a body\n", false});
    }
    if (*upload_size != 0) return MHD_NO;
    return impl.answer(connection, url, method);
  }

  static void completed(void* self, MHD_Connection* connection, void** context,
                        MHD_RequestTerminationCode /*how*/) {
    if (*context == nullptr) return;
    static_cast<Impl*>(self)->connections.request_ended(connection, Clock::now());
  }

  MHD_Result answer(MHD_Connection* connection, const char* url, const char* method) {
    Request request{method,
                    url,
                    header(connection, "Accept"),
                    header(connection, "User-Agent"),
                    accepts_gzip(header(connection, "Accept-Encoding")),
                    {}};
    if (const char* only =
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "namespace")) {
      request.name_space = only;
    }
    Response response;
    if (request.method != "GET" && request.method != "HEAD") {
      response = {405, response.content_type, "only GET and HEAD are allowed\n", false};
    } else if (auto refusal =
                   gate != nullptr ? gate->refuse(connection, request.path) : std::nullopt) {
      response = std::move(*refusal);
    } else {
      response = handler(request);
    }
    if (unsent >= kMaxUnsent) connections.drop_slowest(connection);
    return send(connection, std::move(response));
  }

  // The body lives until the client has it, counted in `unsent`.
  struct Body {
    Impl& impl;
    std::string text;
  };

  MHD_Result send(MHD_Connection* connection, Response response) {
    auto* body = new Body{*this, std::move(response.body)};
    ++unsent;
    MHD_Response* out = MHD_create_response_from_callback(
        body->text.size(), 32768,
        [](void* cls, std::uint64_t pos, char* buffer, std::size_t max) -> ssize_t {
          const std::string& text = static_cast<Body*>(cls)->text;
          const std::size_t n = std::min(max, text.size() - static_cast<std::size_t>(pos));
          std::memcpy(buffer, text.data() + pos, n);
          return static_cast<ssize_t>(n);
        },
        body,
        [](void* cls) {
          auto* done = static_cast<Body*>(cls);
          --done->impl.unsent;
          delete done;
        });
    MHD_add_response_header(out, "Content-Type", response.content_type.c_str());
    MHD_add_response_header(out, "Vary", "Accept-Encoding, Accept, User-Agent");
    std::map<std::string, std::string> headers = kSecurityHeaders;
    if (gate != nullptr) {
      for (const auto& [name, value] : gate->headers()) headers[name] = value;
    }
    for (const auto& [name, value] : headers) {
      MHD_add_response_header(out, name.c_str(), value.c_str());
    }
    if (response.status == 401) {
      MHD_add_response_header(out, "WWW-Authenticate", "Basic realm=\"volumeter\"");
    }
    if (response.gzipped) MHD_add_response_header(out, "Content-Encoding", "gzip");
    if (response.status == 405) MHD_add_response_header(out, "Allow", "GET, HEAD");
    if (response.status == 503) MHD_add_response_header(out, "Retry-After", "1");
    const MHD_Result queued =
        MHD_queue_response(connection, static_cast<unsigned>(response.status), out);
    MHD_destroy_response(out);
    return queued;
  }

  Connections connections;
  Handler handler;
  Gate* gate;
  std::atomic<int> unsent{0};
  std::vector<MHD_Daemon*> daemons;
  std::vector<int> ports;
};

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto bad = [&](const std::string& why) {
    return Error{"listen address \"" + text + "\": " + why +
                 "; allowed are \":10098\", \"127.0.0.1:10098\" and \"[::1]:10098\""};
  };
  if (colon == std::string::npos) return bad("no port");
  ListenAddress out{text.substr(0, colon), text.substr(colon + 1)};
  unsigned port = 0;
  const char* end = out.port.data() + out.port.size();
  const auto [rest, code] = std::from_chars(out.port.data(), end, port);
  if (code != std::errc() || rest != end || port > 65535) return bad("the port is not 0 to 65535");
  if (out.host.starts_with('[') && out.host.ends_with(']')) {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    return bad("an IPv6 address needs brackets");
  }
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  if (out.host == "localhost") out.host = "127.0.0.1";
  if (!out.host.empty() && ::inet_pton(AF_INET, out.host.c_str(), ignored.data()) != 1 &&
      ::inet_pton(AF_INET6, out.host.c_str(), ignored.data()) != 1) {
    return bad("\"" + out.host + "\" is not an IP address");
  }
  return out;
}

Result<std::unique_ptr<Server>> Server::start(const std::vector<ListenAddress>& addresses,
                                              ConnectionLimits limits, Handler handler,
                                              Gate* gate) {
  auto impl = std::make_unique<Impl>(limits, std::move(handler), gate);
  TlsOptions tls(gate != nullptr ? gate->tls() : nullptr);
  std::vector<UniqueFd> sockets;
  for (const ListenAddress& address : addresses) {
    auto fd = listen_on(address);
    if (!fd) return fd.error();
    sockets.push_back(std::move(fd).value());
  }
  for (UniqueFd& socket : sockets) {
    impl->ports.push_back(port_of(socket.get()));
    MHD_Daemon* daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | tls.flag(), 0, nullptr,
                         nullptr, &Impl::handle, impl.get(), MHD_OPTION_LISTEN_SOCKET, socket.get(),
                         MHD_OPTION_CONNECTION_LIMIT, kLibraryLimit, MHD_OPTION_CONNECTION_TIMEOUT,
                         180U, MHD_OPTION_NOTIFY_CONNECTION, &Impl::notify_connection, impl.get(),
                         MHD_OPTION_NOTIFY_COMPLETED, &Impl::completed, impl.get(),
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<std::size_t>(16 << 10),
                         MHD_OPTION_ARRAY, tls.options(), MHD_OPTION_END);
    if (daemon == nullptr) return Error::from_errno("start the HTTP server", errno);
    socket.release();  // MHD closes it
    impl->daemons.push_back(daemon);
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;
void Server::sweep() {
  impl_->connections.sweep(Clock::now());
  if (impl_->gate != nullptr) impl_->gate->refresh();
}
std::vector<int> Server::ports() const { return impl_->ports; }

}  // namespace volumeter
