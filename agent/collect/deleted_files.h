// Asks a process of its own, now and then, how many bytes deleted but open files hold in each
// target (measure/usage/deleted_scan.h). Event-loop thread only; nothing here blocks.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/event_loop.h"
#include "volumeter/inventory.h"
#include "volumeter/snapshot.h"
#include "workers/spawn.h"

namespace volumeter {

struct DeletedFilesOptions {
  std::string exe = "/proc/self/exe";
  bool enabled = true;
  std::chrono::milliseconds interval{60000};
  std::chrono::milliseconds deadline{10000};
  std::chrono::seconds stale_after{600};
};

class DeletedFiles {
 public:
  DeletedFiles(EventLoop& loop, DeletedFilesOptions options, std::function<void()> changed);
  ~DeletedFiles();
  DeletedFiles(const DeletedFiles&) = delete;
  DeletedFiles& operator=(const DeletedFiles&) = delete;

  // Asks, if it is time. `trees` is parallel to the inventory's targets and gives the inodes of
  // directories that share a filesystem; those without one yet are left out.
  void ask(const Inventory& inventory, const std::vector<TreeUse>& trees);

  // Parallel to the inventory's targets; absent where nothing is known.
  [[nodiscard]] std::vector<std::optional<DeletedOpen>> open_files(const Inventory& inventory);

 private:
  using Clock = std::chrono::steady_clock;
  bool start();
  void receive();
  void give_up(const std::string& why);
  void collect_dead();

  EventLoop& loop_;
  const DeletedFilesOptions options_;
  std::function<void()> changed_;
  std::optional<ConnectedChild> process_;
  std::vector<Child> dying_;      // killed; one that sleeps over somebody's file takes its time
  std::vector<TargetKey> asked_;  // what the answer under way is about; empty: none is
  Clock::time_point not_before_{};
  std::optional<EventLoop::TimerId> deadline_;
  std::map<TargetKey, DeletedOpen> known_;
  Clock::time_point known_at_{};
  std::string problem_;  // the last one that was logged
};

}  // namespace volumeter
