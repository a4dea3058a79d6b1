#include "kube/api_client.h"

#include <curl/curl.h>

#include <cctype>
#include <list>
#include <new>
#include <stdexcept>
#include <utility>

#include "kube/transfer.h"

namespace volumeter {

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
