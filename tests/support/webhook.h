// An HTTP server on a loopback address that keeps what is posted to it, with the time.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace volumeter::test {

class Webhook {
 public:
  struct Post {
    std::chrono::steady_clock::time_point when;
    std::string path;
    std::string body;
  };
  Webhook();
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  // "http://127.0.0.1:<port><path>"
  [[nodiscard]] std::string url(const std::string& path) const;
  [[nodiscard]] std::vector<Post> posts() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace volumeter::test
