// One request under way, as libcurl sees it. For api_client.cc only.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kube/api_client.h"

namespace volumeter {

using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

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

  [[nodiscard]] int status() const;              // HTTP's, so far
  [[nodiscard]] std::uint64_t received() const;  // bytes over the wire, so far
  // False when the watch is to end.
  bool give_out_lines();
};

// The token, read anew, and what is accepted. An error names the token's file.
Result<Headers> make_headers(const ApiOptions& options);

void set_options(const ApiOptions& options, const std::string& url, Transfer& transfer);

// What its caller is told, once libcurl is done with it.
ApiAnswer to_answer(const ApiOptions& options, Transfer& transfer, CURLcode code);

}  // namespace volumeter
