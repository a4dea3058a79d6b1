// Results of walks that outlive the agent: --state.dir/walks.json.
//
// A walk of ten million files takes an hour of its budget: after an update of the agent its result
// is still worth something, with its age. Results are for this boot of the node: after another one
// a device number may mean another disk.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "volumeter/inventory.h"
#include "volumeter/result.h"
#include "volumeter/snapshot.h"

namespace volumeter {

struct StoredWalk {
  Target target;  // device, root, path and below
  TreeUse use;
};

// The text of a file of results, and back. What doesn't make sense is left out; an error when
// nothing does.
std::string format_walks(const std::vector<StoredWalk>& walks, const std::string& boot_id);
Result<std::vector<StoredWalk>> parse_walks(const std::string& text, const std::string& boot_id);

// Writes on a thread of its own: the node's disk may hang, the event loop may not.
class WalkStore {
 public:
  // An empty directory: nothing is kept. It is made when it is missing.
  explicit WalkStore(const std::string& directory);
  // Waits for a write under way, at most a second.
  ~WalkStore();
  WalkStore(const WalkStore&) = delete;
  WalkStore& operator=(const WalkStore&) = delete;

  // What an earlier agent left; empty when there is nothing or it can't be read (it is logged).
  [[nodiscard]] std::vector<StoredWalk> load() const;
  // Replaces what is kept, soon. Event-loop thread; never blocks.
  void save(const std::vector<StoredWalk>& walks);

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::string path;  // of the file
    std::string text;  // to be written
    bool pending = false;
    bool writing = false;
    bool stop = false;
  };
  static void write_loop(const std::shared_ptr<Shared>& shared);

  std::string boot_id_;
  std::string path_;
  std::shared_ptr<Shared> shared_;  // the thread's own, should it outlive us
};

}  // namespace volumeter
