// Adds up a directory tree as `du -x` does: allocated blocks, hard links once. In slices, so that
// no fd is held for long, and in memory that doesn't depend on the number of files.
//
// A tenant owns the tree and may rearrange it at any moment. No link is followed, no mount crossed,
// no file opened; what was renamed away in the middle is left out.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/unique_fd.h"
#include "measure/usage/inode_set.h"
#include "volumeter/result.h"

namespace volumeter {

struct WalkTotals {
  std::uint64_t bytes = 0;  // st_blocks * 512, of everything with the directories themselves
  std::uint64_t apparent_bytes = 0;    // st_size
  std::uint64_t entries = 0;           // each link
  std::uint64_t inodes = 0;            // hard links once
  std::uint64_t errors = 0;            // entries that could not be looked at, or not into
  std::optional<timespec> last_write;  // the newest mtime of a regular file
  // Some hard-linked files were counted as a part at each link, for want of memory to remember them
  // all: right if every link is inside the tree.
  bool estimated = false;

  void add(const WalkTotals& other);
};

inline constexpr std::size_t kLongestPath = 3800;  // that is opened in one piece; PATH_MAX is 4096

// The hard-linked files that were counted; several walks of one tree share it, on any threads.
class HardLinks {
 public:
  // Holds at most so many bytes, and for a moment half as much again.
  explicit HardLinks(std::size_t bytes) : inodes_(bytes) {}
  InodeSet::Added add(std::uint64_t inode) {
    const std::lock_guard lock(mutex_);
    return inodes_.add(inode);
  }

 private:
  std::mutex mutex_;
  InodeSet inodes_;  // guarded by mutex_
};

class Walk {
 public:
  // A directory that is done: its path below the root ("" for the root), how deep it is, and what
  // is in it with everything below.
  using OnDirectory = std::function<void(const std::string&, std::size_t, const WalkTotals&)>;
  // What could not be looked at, and why.
  using OnError = std::function<void(const std::string&, int)>;

  // Given a subdirectory's path below the root: true when it takes that over.
  using TakeOver = std::function<bool(const std::string&)>;

  explicit Walk(std::shared_ptr<HardLinks> hard_links, OnDirectory on_directory = {},
                OnError on_error = {});

  // From now on subdirectories that `take` takes aren't walked.
  void hand_out(TakeOver take) { take_ = std::move(take); }

  // Walks on below `root`, an fd of the tree's top (O_PATH will do), until all is done (true) or
  // `enough` says so (asked every 8 entries). Holds no fd afterwards. An error when the root can't
  // be listed or isn't the one it was. May hang in any call, as everything that touches a volume
  // may.
  Result<bool> advance(int root, const std::function<bool()>& enough);

  // So far: directories under way included.
  [[nodiscard]] WalkTotals totals() const;
  [[nodiscard]] std::size_t depth() const { return frames_.size(); }

 private:
  static constexpr std::size_t kBuffer = 32 << 10;
  struct Buffer {
    alignas(8) std::array<char, kBuffer> bytes;
    std::size_t size = 0;
    std::size_t at = 0;
  };
  // A directory under way. Its fd and buffer may be taken away at any time: name, inode and offset
  // are enough to go on.
  struct Frame {
    std::string name;
    std::uint64_t inode = 0;
    std::int64_t offset = 0;  // d_off of the last entry that was looked at
    WalkTotals totals;
    UniqueFd fd;
    std::unique_ptr<Buffer> buffer;
  };
  struct Entry {
    const char* name = nullptr;
    unsigned char type = 0;
  };

  Status begin(int root);
  bool next_entry(Frame& frame, Entry& entry);
  bool fill(Frame& frame);
  bool reopen(std::size_t index);
  void look_at(Frame& frame, const Entry& entry);
  void descend(Frame& frame, const Entry& entry);
  void leave();
  void let_go(Frame& frame);
  void failed(Frame& frame, const char* name, int code);
  void count(WalkTotals& totals, const struct statx& st);
  [[nodiscard]] bool is_ours(const struct statx& st) const;
  [[nodiscard]] int open_directory(int parent, const char* path);
  [[nodiscard]] std::string path_to(std::size_t frames) const;

  OnDirectory on_directory_;
  OnError on_error_;
  TakeOver take_;
  std::vector<Frame> frames_;
  std::vector<std::unique_ptr<Buffer>> spare_;
  std::shared_ptr<HardLinks> hard_links_;
  WalkTotals done_;  // of the whole tree, once it is
  int root_ = -1;
  std::uint64_t root_inode_ = 0;
  std::uint64_t device_ = 0;
  bool begun_ = false;
  bool no_atime_ = true;  // until it was refused
};

}  // namespace volumeter
