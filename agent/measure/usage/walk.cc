#include "measure/usage/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace volumeter {
namespace {

// How many directories on the way down keep their fd and buffer; the others are opened again.
constexpr std::size_t kOpenFrames = 24;
// Directories on the way down. Each costs memory, and the way down has to be opened again: a tenant
// who makes a chain of a million must not get all of ours.
constexpr std::size_t kDeepest = 4096;
constexpr int kAskAfter = 8;  // entries: few, because each may wait for a slow disk
constexpr unsigned kMask =
    STATX_TYPE | STATX_NLINK | STATX_INO | STATX_SIZE | STATX_BLOCKS | STATX_MTIME;

int look(int fd, const char* name, int flags, struct statx& st) {
  const int how = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC | flags;
  return ::statx(fd, name, how, kMask, &st) == 0 ? 0 : errno;
}

std::uint64_t device_of(const struct statx& st) {
  return (std::uint64_t{st.stx_dev_major} << 32U) | st.stx_dev_minor;
}

// It went, or something else took its name, between two looks: that is a tenant's right.
bool vanished(int code) { return code == ENOENT || code == ENOTDIR || code == ELOOP; }

bool is_dots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

}  // namespace

void WalkTotals::add(const WalkTotals& other) {
  bytes += other.bytes;
  apparent_bytes += other.apparent_bytes;
  entries += other.entries;
  inodes += other.inodes;
  errors += other.errors;
  estimated = estimated || other.estimated;
  if (!other.last_write) return;
  const auto key = [](const timespec& t) { return std::pair(t.tv_sec, t.tv_nsec); };
  if (!last_write || key(*last_write) < key(*other.last_write)) last_write = other.last_write;
}

Walk::Walk(std::shared_ptr<HardLinks> hard_links, OnDirectory on_directory, OnError on_error)
    : on_directory_(std::move(on_directory)),
      on_error_(std::move(on_error)),
      hard_links_(std::move(hard_links)) {}

WalkTotals Walk::totals() const {
  WalkTotals all = done_;
  for (const Frame& frame : frames_) all.add(frame.totals);
  return all;
}

// No escape from `parent`, no link, no mount on the way, whoever rearranges the tree meanwhile.
int Walk::open_directory(int parent, const char* path) {
  open_how how{};
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (int attempt = 0;; ++attempt) {
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (no_atime_ ? O_NOATIME : 0U);
    const long fd = ::syscall(SYS_openat2, parent, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == EPERM && no_atime_) {
      no_atime_ = false;  // for the owner and CAP_FOWNER only
    } else if (errno != EAGAIN || attempt == 8) {
      return -1;
    }
  }
}

bool Walk::is_ours(const struct statx& st) const {
  return device_of(st) == device_ && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

void Walk::count(WalkTotals& totals, const struct statx& st) {
  ++totals.entries;
  std::uint64_t share = 1;
  if (st.stx_nlink > 1 && !S_ISDIR(st.stx_mode)) {
    switch (hard_links_->add(st.stx_ino)) {
      case InodeSet::Added::kKnown:
        return;
      case InodeSet::Added::kFull:
        totals.estimated = true;
        share = st.stx_nlink;
        break;
      case InodeSet::Added::kNew:
        break;
    }
  }
  ++totals.inodes;
  totals.bytes += st.stx_blocks * 512 / share;
  totals.apparent_bytes += st.stx_size / share;
  if (!S_ISREG(st.stx_mode)) return;
  WalkTotals written;
  written.last_write = timespec{st.stx_mtime.tv_sec, static_cast<long>(st.stx_mtime.tv_nsec)};
  totals.add(written);
}

Status Walk::begin(int root) {
  root_ = root;
  struct statx st {};
  if (const int code = look(root, "", AT_EMPTY_PATH, st)) return Error::from_errno("stat", code);
  if (!begun_) {
    begun_ = true;
    device_ = device_of(st);
    root_inode_ = st.stx_ino;
    Frame top;
    top.name = ".";
    top.inode = st.stx_ino;
    count(top.totals, st);
    frames_.push_back(std::move(top));
    if (!reopen(0)) {
      const int code = errno;
      frames_.clear();
      begun_ = false;
      return Error::from_errno("open", code);
    }
  }
  if (device_of(st) != device_ || st.stx_ino != root_inode_) {
    return Error{"another directory stands in the place of the one that the walk began in", ESTALE};
  }
  return Done{};
}

Result<bool> Walk::advance(int root, const std::function<bool()>& enough) {
  if (auto ready = begin(root); !ready) return ready.error();
  for (unsigned n = 1; !frames_.empty(); ++n) {
    if (n % kAskAfter == 0 && enough()) break;
    Frame& frame = frames_.back();
    Entry entry;
    if (next_entry(frame, entry)) {
      look_at(frame, entry);
    } else {
      leave();
    }
  }
  for (Frame& frame : frames_) let_go(frame);
  return frames_.empty();
}

void Walk::let_go(Frame& frame) {
  frame.fd.reset();
  if (frame.buffer) spare_.push_back(std::move(frame.buffer));
}

// From the nearest open directory above, in pieces that are no longer than a path may be.
bool Walk::reopen(std::size_t index) {
  std::size_t from = index;
  while (from > 0 && !frames_[from - 1].fd) --from;
  UniqueFd here;
  int at = from == 0 ? root_ : frames_[from - 1].fd.get();
  while (from <= index) {
    std::string piece = frames_[from++].name;
    while (from <= index && piece.size() + frames_[from].name.size() < kLongestPath) {
      piece += "/" + frames_[from++].name;
    }
    here = UniqueFd(open_directory(at, piece.c_str()));
    if (!here) return false;
    at = here.get();
  }
  struct statx st {};
  Frame& frame = frames_[index];
  if (look(here.get(), "", AT_EMPTY_PATH, st) != 0) return false;
  if (st.stx_ino != frame.inode || device_of(st) != device_) {
    errno = ENOENT;  // another directory has its name now
    return false;
  }
  if (frame.offset != 0 && ::lseek(here.get(), frame.offset, SEEK_SET) < 0) return false;
  frame.fd = std::move(here);
  return true;
}

bool Walk::fill(Frame& frame) {
  if (!frame.fd && !reopen(frames_.size() - 1)) {
    if (!vanished(errno)) failed(frame, nullptr, errno);
    return false;
  }
  if (!frame.buffer) {
    if (spare_.empty()) spare_.push_back(std::make_unique<Buffer>());
    frame.buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  const long n = ::syscall(SYS_getdents64, frame.fd.get(), frame.buffer->bytes.data(), kBuffer);
  if (n < 0 && !vanished(errno)) failed(frame, nullptr, errno);
  frame.buffer->at = 0;
  frame.buffer->size = n > 0 ? static_cast<std::size_t>(n) : 0;
  return n > 0;
}

bool Walk::next_entry(Frame& frame, Entry& entry) {
  for (;;) {
    // Without its fd nothing can be looked at, so what was read is read again.
    if (!frame.fd && frame.buffer) let_go(frame);
    if (!frame.buffer || frame.buffer->at >= frame.buffer->size) {
      if (!fill(frame)) return false;
    }
    // glibc's dirent64 is the kernel's linux_dirent64 (include/linux/dirent.h).
    const auto* found =
        reinterpret_cast<const dirent64*>(frame.buffer->bytes.data() + frame.buffer->at);
    frame.buffer->at += found->d_reclen;
    frame.offset = found->d_off;
    if (is_dots(found->d_name)) continue;
    entry = {found->d_name, found->d_type};
    return true;
  }
}

void Walk::look_at(Frame& frame, const Entry& entry) {
  if (entry.type == DT_DIR) return descend(frame, entry);
  struct statx st {};
  if (const int code = look(frame.fd.get(), entry.name, 0, st)) {
    if (!vanished(code)) failed(frame, entry.name, code);
    return;
  }
  if (S_ISDIR(st.stx_mode)) return descend(frame, entry);
  if (is_ours(st)) count(frame.totals, st);
}

void Walk::descend(Frame& frame, const Entry& entry) {
  if (take_) {
    std::string path = path_to(frames_.size() - 1);
    path += (path.empty() ? "" : "/") + std::string(entry.name);
    if (take_(path)) return;
  }
  if (frames_.size() >= kDeepest) return failed(frame, entry.name, ENAMETOOLONG);
  UniqueFd fd(open_directory(frame.fd.get(), entry.name));
  struct statx st {};
  if (!fd) {
    const int code = errno;
    if (vanished(code) || code == EXDEV) return;  // EXDEV: something is mounted there
    failed(frame, entry.name, code);
    if (look(frame.fd.get(), entry.name, 0, st) == 0 && is_ours(st)) count(frame.totals, st);
    return;
  }
  if (const int code = look(fd.get(), "", AT_EMPTY_PATH, st)) {
    return failed(frame, entry.name, code);
  }
  if (device_of(st) != device_) return;  // a btrfs subvolume: as another filesystem to du -x
  Frame below;
  below.name = entry.name;
  below.inode = st.stx_ino;
  below.fd = std::move(fd);
  count(below.totals, st);
  if (frames_.size() >= kOpenFrames) let_go(frames_[frames_.size() - kOpenFrames]);
  frames_.push_back(std::move(below));
}

void Walk::leave() {
  const std::size_t depth = frames_.size() - 1;
  if (on_directory_) on_directory_(path_to(depth), depth, frames_.back().totals);
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  let_go(frame);
  (frames_.empty() ? done_ : frames_.back().totals).add(frame.totals);
}

void Walk::failed(Frame& frame, const char* name, int code) {
  ++frame.totals.errors;
  if (!on_error_) return;
  std::string path = path_to(frames_.size() - 1);
  if (name != nullptr) path += (path.empty() ? "" : "/") + std::string(name);
  on_error_(path, code);
}

// Of the directory at this depth, below the root.
std::string Walk::path_to(std::size_t index) const {
  std::string path;
  for (std::size_t i = 1; i <= index; ++i) {
    path += (path.empty() ? "" : "/") + frames_[i].name;
  }
  return path;
}

}  // namespace volumeter
