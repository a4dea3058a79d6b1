#include "kube/transfer.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "host/host.h"

namespace volumeter {
namespace {

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
  if (status == 403 && options.source == "kubelet") {
    return request.path.starts_with("/metrics") ? " (needs \"get\" on nodes/metrics)"
                                                : " (needs \"get\" on nodes/pods)";
  }
  if (status == 403) return " (needs \"" + request.verb + "\" on " + request.resource + ")";
  return {};
}

const char* method_of(const ApiRequest& request) {
  return request.verb == "create" ? "POST" : request.verb == "update" ? "PUT" : "GET";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

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

}  // namespace

int Transfer::status() const {
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return static_cast<int>(code);
}

std::uint64_t Transfer::received() const {
  curl_off_t body_bytes = 0;
  long header_bytes = 0;
  curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &body_bytes);
  curl_easy_getinfo(curl, CURLINFO_HEADER_SIZE, &header_bytes);
  return static_cast<std::uint64_t>(body_bytes) + static_cast<std::uint64_t>(header_bytes);
}

bool Transfer::give_out_lines() {
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

Result<Headers> make_headers(const ApiOptions& options) {
  Headers headers(curl_slist_append(nullptr, "Accept: application/json"), curl_slist_free_all);
  curl_slist_append(headers.get(), "Content-Type: application/json");
  if (options.token_file.empty()) return headers;
  auto token = read_file(options.token_file, 64 << 10);
  if (!token) return Error{"token: " + token.error().message};
  const std::string header = "Authorization: Bearer " + std::string(trimmed(*token));
  curl_slist_append(headers.get(), header.c_str());
  return headers;
}

void set_options(const ApiOptions& options, const std::string& url, Transfer& transfer) {
  CURL* curl = transfer.curl;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PRIVATE, &transfer);
  if (!transfer.request.body.empty()) {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method_of(transfer.request));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, transfer.request.body.c_str());  // isn't copied
  }
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
  const std::string what = std::string(method_of(transfer.request)) + " " + path;
  if (!transfer.no_token.empty()) {
    answer.problem = transfer.no_token;
    return answer;
  }
  if (transfer.too_long) {
    answer.problem = what + ": the answer is longer than the allowed " +
                     std::to_string(transfer.limit) + " bytes";
    return answer;
  }
  if (code != CURLE_OK) {
    answer.problem = std::string(method_of(transfer.request)) + " " + options.url + path + ": " +
                     curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION && options.source == "kubelet") {
      answer.problem +=
          " (its certificate isn't signed by --kube.ca-file for this address; "
          "--kube.kubelet-insecure-tls does without)";
    }
    return answer;
  }
  answer.status = transfer.status();
  if (answer.status == 200 || answer.status == 201) {
    answer.body = std::move(transfer.body);
  } else {
    answer.retry_after = retry_after(transfer.curl, transfer.body);
    answer.problem = what + ": HTTP " + std::to_string(answer.status) + ": " +
                     server_message(transfer.body) +
                     advice(answer.status, options, transfer.request);
  }
  return answer;
}

}  // namespace volumeter
