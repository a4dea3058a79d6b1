// A real volumeter agent, started for a test, and its answers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace volumeter::test {

struct HttpAnswer {
  int status = 0;  // 0: no answer
  std::string headers;
  std::string body;
};

// One request on a connection of its own. `from`: the local address to call from.
HttpAnswer http_get(int port, const std::string& path, const std::string& headers = "",
                    const std::string& to = "127.0.0.1", const std::string& method = "GET",
                    const std::string& from = "");

// A TCP connection to a loopback address; -1 on failure.
UniqueFd connect_to(int port, const std::string& to = "127.0.0.1", const std::string& from = "");

// Series by name and labels exactly as written: "up{a=\"b\"}".
using Metrics = std::map<std::string, double>;
Metrics parse_metrics(const std::string& text);

class Agent {
 public:
  struct Options {
    Process::Options process;
    std::string listen = "127.0.0.1:0";
    bool latency = false;              // --measure.latency
    std::vector<std::string> wrapper;  // a program that executes it, as capsh does
  };
  Agent(const std::vector<std::string>& flags, const Options& options);
  explicit Agent(const std::vector<std::string>& flags) : Agent(flags, Options{}) {}
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] Process& process() { return process_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  // What it has logged so far.
  [[nodiscard]] std::string log() const;

  [[nodiscard]] HttpAnswer get(const std::string& path) const { return http_get(port_, path); }
  [[nodiscard]] Metrics metrics() const { return parse_metrics(get("/metrics").body); }
  [[nodiscard]] std::optional<double> metric(const std::string& series) const;
  // Polls until the series has this value.
  [[nodiscard]] bool sees(const std::string& series, double value,
                          std::chrono::milliseconds limit = 20s) const;
  [[nodiscard]] bool ready(std::chrono::milliseconds limit = 30s) const;

 private:
  std::string log_path_;
  Process process_;
  int port_ = 0;
};

// `root` and its descendants that haven't ended.
std::vector<pid_t> process_tree(pid_t root);

std::size_t count_entries(const std::string& directory);

}  // namespace volumeter::test
