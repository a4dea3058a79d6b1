#include "kube/api_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <list>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "host/host.h"

namespace volumeter {
namespace {

using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

// The `message` of a Status object, or the beginning of whatever was answered.
std::string server_message(const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (parsed.is_object() && parsed.contains("message") && parsed["message"].is_string()) {
    return printable(parsed["message"].get<std::string>());
  }
  return printable(body.substr(0, 200));
}

// From the header, else from the Status object, where the API server puts it with a 504.
std::optional<std::chrono::seconds> retry_after(CURL* curl, const std::string& body) {
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds <= 0) {
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    const auto path = nlohmann::json::json_pointer("/details/retryAfterSeconds");
    if (parsed.is_object() && parsed.contains(path) && parsed[path].is_number_integer()) {
      seconds = parsed[path].get<curl_off_t>();
    }
  }
  // A server may ask for patience, not for silence.
  constexpr curl_off_t kLongest = 600;
  if (seconds <= 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, kLongest));
}

// What to do about a status, where it isn't plain.
std::string advice(int status, const ApiOptions& options, const ApiRequest& request) {
  if (status == 401) return " (is the token valid?)";
  if (status == 403 && options.source == "kubelet") return " (needs \"get\" on nodes/pods)";
  if (status == 403) return " (needs \"" + request.verb + "\" on " + request.resource + ")";
  return {};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

Result<Headers> make_headers(const ApiOptions& options) {
  Headers headers(curl_slist_append(nullptr, "Accept: application/json"), curl_slist_free_all);
  if (options.token_file.empty()) return headers;
  auto token = read_file(options.token_file, 64 << 10);
  if (!token) return Error{"token: " + token.error().message};
  const std::string header = "Authorization: Bearer " + std::string(trimmed(*token));
  curl_slist_append(headers.get(), header.c_str());
  return headers;
}

// One request under way.
struct Transfer {
  std::function<void(Transfer&, CURLcode)> finish;
  ApiRequest request;
  ApiClient::Callback done;
  std::size_t limit = 0;
  Headers headers{nullptr, curl_slist_free_all};
  CURL* curl = nullptr;
  std::string body;  // of a watch: the beginning of the next line
  bool too_long = false;
  std::string no_token;  // why it was sent nowhere

  [[nodiscard]] int status() const {
    long code = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    return static_cast<int>(code);
  }
  [[nodiscard]] std::uint64_t received() const {
    curl_off_t body_bytes = 0;
    long header_bytes = 0;
    curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &body_bytes);
    curl_easy_getinfo(curl, CURLINFO_HEADER_SIZE, &header_bytes);
    return static_cast<std::uint64_t>(body_bytes) + static_cast<std::uint64_t>(header_bytes);
  }
  bool give_out_lines() {
    std::size_t begin = 0;
    bool go_on = true;
    while (go_on) {
      const std::size_t end = body.find('\n', begin);
      if (end == std::string::npos) break;
      go_on = request.on_line(std::string_view(body).substr(begin, end - begin));
      begin = end + 1;
    }
    body.erase(0, begin);
    return go_on;
  }
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* out) {
  auto& transfer = *static_cast<Transfer*>(out);
  const std::size_t bytes = size * count;
  if (transfer.body.size() + bytes > transfer.limit) {
    transfer.too_long = true;
    return 0;
  }
  transfer.body.append(data, bytes);
  const bool watch = transfer.request.on_line && transfer.status() == 200;
  return watch && !transfer.give_out_lines() ? 0 : bytes;
}

std::size_t on_header(const char* data, std::size_t size, std::size_t count, void* out) {
  const auto& transfer = *static_cast<Transfer*>(out);
  const std::string_view line(data, size * count);
  if (line == "\r\n" && transfer.request.on_open && transfer.status() == 200) {
    transfer.request.on_open();
  }
  return line.size();
}

void set_options(const ApiOptions& options, const std::string& url, Transfer& transfer) {
  CURL* curl = transfer.curl;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer.headers.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(transfer.request.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // Over HTTP/2 all requests share one connection, and libcurl keeps it after a timeout: a server
  // that has died without a word would be asked on it for a quarter of an hour (kubernetes#87615).
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "volumeter");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  // A watch can be silent for minutes: the kernel finds out when its peer is gone.
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, 30L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, 10L);
  if (!options.ca_file.empty()) {
    // Instead of the system's CAs, not beside them; and read again when it was rotated.
    curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, 60L);
  }
  if (options.insecure_tls) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

ApiAnswer to_answer(const ApiOptions& options, Transfer& transfer, CURLcode code) {
  ApiAnswer answer;
  // Without the query, which changes from one try to the next.
  const std::string path = transfer.request.path.substr(0, transfer.request.path.find('?'));
  if (!transfer.no_token.empty()) {
    answer.problem = transfer.no_token;
    return answer;
  }
  if (transfer.too_long) {
    answer.problem = "GET " + path + ": the answer is longer than the allowed " +
                     std::to_string(transfer.limit) + " bytes";
    return answer;
  }
  if (code != CURLE_OK) {
    answer.problem = "GET " + options.url + path + ": " + curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION && options.source == "kubelet") {
      answer.problem +=
          " (its certificate isn't signed by --kube.ca-file for this address; "
          "--kube.kubelet-insecure-tls does without)";
    }
    return answer;
  }
  answer.status = transfer.status();
  if (answer.status == 200) {
    answer.body = std::move(transfer.body);
  } else {
    answer.retry_after = retry_after(transfer.curl, transfer.body);
    answer.problem = "GET " + path + ": HTTP " + std::to_string(answer.status) + ": " +
                     server_message(transfer.body) +
                     advice(answer.status, options, transfer.request);
  }
  return answer;
}

}  // namespace

RequestLoop::RequestLoop() {
  static const bool initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  multi_ = initialised ? curl_multi_init() : nullptr;
  if (multi_ == nullptr) throw std::runtime_error("libcurl could not be initialised");
}

RequestLoop::~RequestLoop() { curl_multi_cleanup(multi_); }

void RequestLoop::wake() { curl_multi_wakeup(multi_); }

void RequestLoop::run(std::chrono::milliseconds limit) {
  curl_multi_poll(multi_, nullptr, 0, static_cast<int>(limit.count()), nullptr);
  int running = 0;
  curl_multi_perform(multi_, &running);
  int queued = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // the message dies with its handle
    void* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    static_cast<Transfer*>(transfer)->finish(*static_cast<Transfer*>(transfer), code);
  }
}

struct ApiClient::Impl {
  CURLM* multi;
  ApiOptions options;
  std::list<Transfer> transfers;
  RequestStats stats;

  void finish(Transfer& transfer, CURLcode code);
};

ApiClient::ApiClient(RequestLoop& loop, ApiOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->multi = loop.multi_;
  impl_->stats.source = options.source;
  impl_->options = std::move(options);
}

ApiClient::~ApiClient() {
  for (Transfer& transfer : impl_->transfers) {
    curl_multi_remove_handle(impl_->multi, transfer.curl);
    curl_easy_cleanup(transfer.curl);
  }
}

const ApiOptions& ApiClient::options() const { return impl_->options; }

void ApiClient::start(ApiRequest request, Callback done) {
  Transfer& transfer = impl_->transfers.emplace_back();
  const ApiOptions& options = impl_->options;
  transfer.limit = request.on_line ? options.line_limit : options.response_limit;
  transfer.request = std::move(request);
  transfer.done = std::move(done);
  transfer.finish = [impl = impl_.get()](Transfer& ended, CURLcode code) {
    impl->finish(ended, code);
  };
  transfer.curl = curl_easy_init();
  if (transfer.curl == nullptr) throw std::bad_alloc();
  auto headers = make_headers(options);
  if (headers) {
    transfer.headers = std::move(headers).value();
    set_options(options, options.url + transfer.request.path, transfer);
  } else {
    // Without its token a request would only be refused; curl calls back for this one too.
    transfer.no_token = headers.error().message;
    set_options(options, "file:///", transfer);
  }
  curl_multi_add_handle(impl_->multi, transfer.curl);
}

void ApiClient::Impl::finish(Transfer& transfer, CURLcode code) {
  const ApiAnswer answer = to_answer(options, transfer, code);
  if (transfer.no_token.empty()) {
    const std::string status = answer.status == 0 ? "error" : std::to_string(answer.status);
    ++stats.requests[{transfer.request.resource, transfer.request.verb, status}];
    curl_off_t microseconds = 0;
    curl_easy_getinfo(transfer.curl, CURLINFO_TOTAL_TIME_T, &microseconds);
    if (!transfer.request.on_line) stats.seconds.observe(static_cast<double>(microseconds) * 1e-6);
    stats.received_bytes += transfer.received();
  }
  curl_multi_remove_handle(multi, transfer.curl);
  curl_easy_cleanup(transfer.curl);
  const Callback done = std::move(transfer.done);
  transfers.remove_if([&](const Transfer& other) { return &other == &transfer; });
  done(answer);
}

RequestStats ApiClient::stats() const {
  RequestStats stats = impl_->stats;
  for (const Transfer& transfer : impl_->transfers) stats.received_bytes += transfer.received();
  return stats;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

}  // namespace volumeter
