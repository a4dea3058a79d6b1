// A real Prometheus server on a loopback address, scraping what it is told.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace volumeter::test {

std::optional<std::string> why_no_prometheus();

class Prometheus {
 public:
  struct Options {
    std::string interval = "1s";                // of scrapes and rules
    std::map<std::string, std::string> labels;  // of the targets
    std::vector<std::string> rules;             // files
    std::string alertmanager;                   // "127.0.0.1:1234"; empty: none
  };
  // Scrapes http://<target>/metrics as job "volumeter"; a target is "127.0.0.1:1234".
  Prometheus(const std::vector<std::string>& targets, const Options& options);
  explicit Prometheus(const std::vector<std::string>& targets) : Prometheus(targets, Options{}) {}
  ~Prometheus();
  Prometheus(const Prometheus&) = delete;
  Prometheus& operator=(const Prometheus&) = delete;

  struct Sample {
    std::map<std::string, std::string> labels;
    double value = 0;
  };
  // The instant vector that an expression gives now. Prometheus' own error ends up in `error`.
  [[nodiscard]] std::vector<Sample> query(const std::string& expression,
                                          std::string* error = nullptr) const;

 private:
  std::string directory_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

// A loopback port that was free a moment ago.
int free_port();

}  // namespace volumeter::test
