// Follows the kernel's log, /dev/kmsg, and counts what it says about storage.
//
// In a thread of its own: a flood of lines overwrites the kernel's buffer within a tenth of a
// second, and the event loop may be busy for longer.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "host/host.h"
#include "measure/health/kernel_message.h"
#include "volumeter/snapshot.h"

namespace volumeter {

using KernelMessageCounts = std::array<std::uint64_t, kKernelMessageKinds>;

// Since the agent started.
struct KernelLogCounts {
  struct Source {
    KernelMessageCounts counts{};
    WallTime last{};
  };
  KernelMessageCounts all{};  // by kind
  // Devices of ext4 filesystems that let nobody write since an error, and haven't been mounted
  // anew. Stable kernels between "ext4: don't set SB_RDONLY after filesystem errors" and the
  // emergency_ro of Linux 6.15 say so nowhere else.
  std::set<std::string> read_only;
  std::uint64_t lost = 0;  // records that were overwritten before they could be read
  // What the messages name; the last kMostSources of each.
  std::map<std::string, Source> devices;
  std::map<std::string, Source> servers;
  std::map<std::string, Source> pods;  // by uid: whose task hangs
};
inline constexpr std::size_t kMostSources = 512;

class KernelLog {
 public:
  explicit KernelLog(HostPaths host) : host_(std::move(host)) {}
  ~KernelLog();
  KernelLog(const KernelLog&) = delete;
  KernelLog& operator=(const KernelLog&) = delete;

  // Before capabilities are given up: CAP_SYSLOG is needed where kernel.dmesg_restrict is 1. The
  // host's /dev/kmsg below rootfs, else this mount namespace's own.
  Status open();
  // After signals have been blocked. Does nothing if it couldn't be opened.
  void start();

  // Absent when it isn't followed. Any thread.
  [[nodiscard]] std::optional<KernelLogCounts> counts() const;

 private:
  void follow();
  void drain();
  void take(std::string_view record);
  void count(const KernelMessage& message);
  [[nodiscard]] std::string pod_of(pid_t task) const;

  const HostPaths host_;
  UniqueFd log_;
  UniqueFd stop_;  // an eventfd
  std::thread thread_;
  // Of the thread:
  KernelMessageParser parser_;
  std::optional<std::uint64_t> next_sequence_;

  mutable std::mutex mutex_;
  KernelLogCounts counts_;
};

}  // namespace volumeter
