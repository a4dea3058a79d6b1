#include "kube/api_client.h"

#include <curl/curl.h>

#include <atomic>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "host/host.h"

namespace volumeter {
namespace {

struct Body {
  std::string text;
  std::size_t limit = 0;
  bool too_long = false;
};

std::size_t append(char* data, std::size_t size, std::size_t count, void* out) {
  auto& body = *static_cast<Body*>(out);
  if (body.text.size() + size * count > body.limit) {
    body.too_long = true;
    return 0;
  }
  body.text.append(data, size * count);
  return size * count;
}

int stop_if_aborted(void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(flag)->load() ? 1 : 0;
}

// The `message` of a Status object, or the beginning of whatever was answered.
std::string server_message(const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  if (parsed.is_object() && parsed.contains("message") && parsed["message"].is_string()) {
    return printable(parsed["message"].get<std::string>());
  }
  return printable(body.substr(0, 200));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

struct ApiClient::Impl {
  ApiOptions options;
  CURL* curl = nullptr;
  std::atomic<bool> aborted{false};
};

ApiClient::ApiClient(ApiOptions options) : impl_(std::make_unique<Impl>()) {
  static const bool initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  impl_->options = std::move(options);
  if (initialised) impl_->curl = curl_easy_init();
}

ApiClient::~ApiClient() { curl_easy_cleanup(impl_->curl); }

void ApiClient::abort() { impl_->aborted = true; }

Result<std::string> ApiClient::get(const std::string& path) {
  CURL* curl = impl_->curl;
  if (curl == nullptr) return Error{"libcurl could not be initialised"};
  const ApiOptions& options = impl_->options;
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers = [&] {
    curl_slist* list = curl_slist_append(nullptr, "Accept: application/json");
    return std::unique_ptr<curl_slist, void (*)(curl_slist*)>(list, curl_slist_free_all);
  }();
  if (!options.token_file.empty()) {
    auto token = read_file(options.token_file, 64 << 10);
    if (!token) return Error{"token: " + token.error().message};
    const std::string header = "Authorization: Bearer " + std::string(trimmed(*token));
    curl_slist_append(headers.get(), header.c_str());
  }

  Body body{{}, options.response_limit, false};
  const std::string url = options.url + path;
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, options.timeout_seconds);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "volumeter");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_if_aborted);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &impl_->aborted);
  if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());

  const CURLcode code = curl_easy_perform(curl);
  if (body.too_long) {
    return Error{"GET " + path + ": the answer is longer than the allowed " +
                 std::to_string(body.limit) + " bytes"};
  }
  if (code != CURLE_OK) return Error{"GET " + url + ": " + curl_easy_strerror(code)};
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    return Error{
        "GET " + path + ": HTTP " + std::to_string(status) + ": " + server_message(body.text),
        static_cast<int>(status)};
  }
  return std::move(body.text);
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
