// Who may ask: TLS, client certificates and passwords, as `--web.config.file` says. Health stays
// open, for the kubelet has neither.
#pragma once

#include <microhttpd.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "web/basic_auth.h"
#include "web/server.h"
#include "web/tls.h"

namespace volumeter {

class Gate {
 public:
  // An empty path: everybody may ask, in the clear.
  static Result<std::unique_ptr<Gate>> open(const std::string& config_file);

  // Thread-safe. What is answered instead, if the request may not be.
  std::optional<Response> refuse(MHD_Connection* connection, const std::string& path);

  [[nodiscard]] Tls* tls() { return tls_.get(); }
  // Beside the server's own. Names and values are the file's.
  [[nodiscard]] const std::map<std::string, std::string>& headers() const { return headers_; }

  // Reads files again that have changed. Call every few seconds, from one thread.
  void refresh();

 private:
  std::string file_;
  std::unique_ptr<Tls> tls_;
  BasicAuth auth_;
  std::atomic<bool> asks_password_ = false;
  std::map<std::string, std::string> headers_;
  std::string text_;  // of the file, as last read
};

}  // namespace volumeter
