// A real Alertmanager on a loopback address.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "support/process.h"

namespace volumeter::test {

std::optional<std::string> why_no_alertmanager();

class Alertmanager {
 public:
  // `configuration`: the text of its file.
  explicit Alertmanager(const std::string& configuration);
  ~Alertmanager();
  Alertmanager(const Alertmanager&) = delete;
  Alertmanager& operator=(const Alertmanager&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string log() const;

 private:
  std::string directory_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace volumeter::test
