// A container as the kubelet and its runtime would start it from the manifest: the DaemonSet's
// arguments, capabilities, mounts and flags in an OCI runtime's configuration.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/agent.h"

namespace volumeter::test {

class Container {
 public:
  struct Options {
    std::string rootfs;                   // of the image
    std::string manifest;                 // a file with the DaemonSet
    std::string directory;                // for its own files
    std::vector<std::string> more_flags;  // after the manifest's
    std::vector<std::string> entrypoint;  // of the image
  };
  // Uses runc. The container shares this process' network.
  explicit Container(const Options& options);
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  // Where it listens; 0 when it hasn't said so by `limit`.
  [[nodiscard]] int port(std::chrono::milliseconds limit = 30s) const;
  [[nodiscard]] std::string log() const;
  [[nodiscard]] pid_t pid() const;  // of the agent

 private:
  [[nodiscard]] std::vector<std::string> runc(const std::vector<std::string>& arguments) const;

  std::string name_;
  std::string state_;
  std::string log_path_;
  std::unique_ptr<Process> process_;
};

}  // namespace volumeter::test
