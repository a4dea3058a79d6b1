// Faults to rehearse with, made on the demonstration node's real filesystems: `scripts/fault`,
// docs/gameday.md.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/node.h"

namespace volumeter::test {

// A claim of the demonstration node that faults can be made on.
struct FaultTarget {
  std::string where;  // mount point
  std::string image;  // that its loop device is made of
  std::string fstype;
  std::string device;
  StallFs* disk = nullptr;  // serves the image, where it can stall
  // Where an expansion can be asked for: the claim and its PersistentVolume become this large.
  std::function<void(const std::string& storage)> resize;
};

class Faults {
 public:
  // `rollout` is set when the agent shall be replaced.
  Faults(Node& node, std::map<std::string, FaultTarget> targets, std::atomic<bool>& rollout)
      : node_(node), targets_(std::move(targets)), rollout_(rollout) {}

  // "full", "hang", "slow", "read-only", "unmount" or "expand", and a claim unless the usual one is
  // meant ("full" takes a percentage after it); "rollout"; or "heal", which takes all back. What
  // was done, or what is wrong with the command and what is allowed, ends with a newline; `ok` says
  // which.
  std::string obey(const std::string& command, bool& ok);

 private:
  struct Kind {
    const char* name;
    const char* claim;  // the usual one
    std::string (Faults::*make)(FaultTarget&, const std::string& how);
    void (Faults::*heal)(FaultTarget&);
  };
  static const std::vector<Kind>& kinds();

  std::string full(FaultTarget& target, const std::string& how);
  std::string hang(FaultTarget& target, const std::string& how);
  std::string slow(FaultTarget& target, const std::string& how);
  std::string read_only(FaultTarget& target, const std::string& how);
  std::string unmount(FaultTarget& target, const std::string& how);
  std::string expand(FaultTarget& target, const std::string& how);
  void heal_full(FaultTarget& target);
  void heal_hang(FaultTarget& target);
  void heal_slow(FaultTarget& target);
  void heal_read_only(FaultTarget& target);
  void heal_unmount(FaultTarget& target);
  void heal_expand(FaultTarget& target);
  std::string heal();
  [[nodiscard]] std::string usage() const;

  Node& node_;
  std::map<std::string, FaultTarget> targets_;
  std::atomic<bool>& rollout_;
  std::vector<std::pair<const Kind*, std::string>> made_;  // and on which claim
};

// Takes commands on a Unix socket that only root can reach, one a connection, in a thread.
class FaultServer {
 public:
  FaultServer(const std::string& socket, Faults& faults);
  ~FaultServer();
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

 private:
  const std::string path_;
  UniqueFd socket_;
  std::jthread thread_;
};

// The other end: sends, prints the answer, returns the exit code.
int send_fault(const std::string& socket, const std::string& command);

}  // namespace volumeter::test
