// stallfs MOUNTPOINT [DISK_FILE [SUBTYPE]]: a FUSE filesystem that stops answering on command.
//
// It holds one file, "disk", whose content is DISK_FILE's. Commands, one a line on standard input:
//   hold OPS   keep requests of these kinds unanswered; OPS of statfs, lookup, read, write, all
//   release    answer what is held, and everything from now on
//   delay N    each read and write takes N milliseconds more, one after the other
//   attr N V   the root directory has the extended attribute N with value V
//   break N    answer reads and writes with errno N; 0 serves them again
//   fail N     answer statfs with errno N; 0 answers it properly again
// A held request has been read from /dev/fuse, so whoever waits for it survives SIGKILL. Stopping
// this process (SIGSTOP) instead leaves requests unread: their waiters can be killed.
// Says "ready" on standard output once mounted. Ends, unmounting, when standard input closes.
#define FUSE_USE_VERSION 35
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr fuse_ino_t kDisk = 2;
int g_disk = -1;
std::atomic<int> g_statfs_error = 0;
std::atomic<int> g_io_error = 0;
std::atomic<int> g_delay_ms = 0;

class Gate {
 public:
  // Runs `answer` now, or when released.
  void pass(const std::string& op, std::function<void()> answer) {
    {
      const std::lock_guard lock(mutex_);
      if (holding_.contains(op) || holding_.contains("all")) {
        held_.push_back(std::move(answer));
        return;
      }
    }
    answer();
  }
  void hold(std::set<std::string> ops) {
    const std::lock_guard lock(mutex_);
    holding_ = std::move(ops);
  }
  void release() {
    std::vector<std::function<void()>> held;
    {
      const std::lock_guard lock(mutex_);
      holding_.clear();
      held.swap(held_);
    }
    for (const auto& answer : held) answer();
  }

 private:
  std::mutex mutex_;
  std::set<std::string> holding_;
  std::vector<std::function<void()>> held_;
};
Gate g_gate;

struct stat attributes(fuse_ino_t ino) {
  struct stat st {};
  st.st_ino = ino;
  st.st_nlink = 1;
  if (ino == FUSE_ROOT_ID) {
    st.st_mode = S_IFDIR | 0755;
  } else {
    ::fstat(g_disk, &st);
    st.st_ino = ino;
    st.st_mode = S_IFREG | 0600;
  }
  return st;
}

void lookup(fuse_req_t req, fuse_ino_t /*parent*/, const char* name) {
  const bool found = g_disk >= 0 && std::strcmp(name, "disk") == 0;
  g_gate.pass("lookup", [=] {
    if (!found) return (void)fuse_reply_err(req, ENOENT);
    fuse_entry_param entry{};
    entry.ino = kDisk;
    entry.attr = attributes(kDisk);
    fuse_reply_entry(req, &entry);
  });
}

void getattr(fuse_req_t req, fuse_ino_t ino, fuse_file_info* /*fi*/) {
  g_gate.pass("lookup", [=] {
    const struct stat st = attributes(ino);
    fuse_reply_attr(req, &st, 0);
  });
}

void statfs(fuse_req_t req, fuse_ino_t /*ino*/) {
  g_gate.pass("statfs", [=] {
    if (const int error = g_statfs_error) return (void)fuse_reply_err(req, error);
    struct statvfs st {};
    st.f_bsize = st.f_frsize = 4096;
    st.f_blocks = 10000;
    st.f_bfree = st.f_bavail = 6000;
    st.f_files = 1000;
    st.f_ffree = st.f_favail = 900;
    fuse_reply_statfs(req, &st);
  });
}

void open(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  if (ino != kDisk) return (void)fuse_reply_err(req, EISDIR);
  fi->direct_io = 0;
  fuse_reply_open(req, fi);
}

void read(fuse_req_t req, fuse_ino_t /*ino*/, size_t size, off_t offset, fuse_file_info* /*fi*/) {
  ::usleep(static_cast<useconds_t>(g_delay_ms) * 1000);
  g_gate.pass("read", [=] {
    if (const int error = g_io_error) return (void)fuse_reply_err(req, error);
    std::vector<char> buffer(size);
    const ssize_t n = ::pread(g_disk, buffer.data(), size, offset);
    if (n < 0) return (void)fuse_reply_err(req, errno);
    fuse_reply_buf(req, buffer.data(), static_cast<size_t>(n));
  });
}

void write(fuse_req_t req, fuse_ino_t /*ino*/, const char* data, size_t size, off_t offset,
           fuse_file_info* /*fi*/) {
  const std::string copy(data, size);
  ::usleep(static_cast<useconds_t>(g_delay_ms) * 1000);
  g_gate.pass("write", [=] {
    if (const int error = g_io_error) return (void)fuse_reply_err(req, error);
    const ssize_t n = ::pwrite(g_disk, copy.data(), copy.size(), offset);
    if (n < 0) return (void)fuse_reply_err(req, errno);
    fuse_reply_write(req, static_cast<size_t>(n));
  });
}

void fsync(fuse_req_t req, fuse_ino_t /*ino*/, int /*datasync*/, fuse_file_info* /*fi*/) {
  g_gate.pass("write", [=] { fuse_reply_err(req, 0); });
}

std::mutex g_attributes_mutex;
std::map<std::string, std::string> g_attributes;

void getxattr(fuse_req_t req, fuse_ino_t /*ino*/, const char* name, size_t size) {
  const std::lock_guard lock(g_attributes_mutex);
  const auto it = g_attributes.find(name);
  if (it == g_attributes.end()) return (void)fuse_reply_err(req, ENODATA);
  if (size == 0) return (void)fuse_reply_xattr(req, it->second.size());
  fuse_reply_buf(req, it->second.data(), it->second.size());
}

void commands(fuse_session* session, const std::string& mount_point) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "hold") {
      std::set<std::string> ops;
      for (std::string op; words >> op;) ops.insert(op);
      g_gate.hold(std::move(ops));
    } else if (command == "release") {
      g_gate.release();
    } else if (command == "delay") {
      int milliseconds = 0;
      words >> milliseconds;
      g_delay_ms = milliseconds;
    } else if (command == "attr") {
      std::string name;
      const std::lock_guard lock(g_attributes_mutex);
      words >> name >> g_attributes[name];
    } else if (command == "break") {
      int error = 0;
      words >> error;
      g_io_error = error;
    } else if (command == "fail") {
      int error = 0;
      words >> error;
      g_statfs_error = error;
    }
    std::cout << "done" << std::endl;
  }
  g_gate.release();
  fuse_session_exit(session);
  // Wakes the loop up, which only looks between requests.
  struct statvfs st {};
  ::statvfs(mount_point.c_str(), &st);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  if (argc > 2 && argv[2][0] != 0) g_disk = ::open(argv[2], O_RDWR | O_CLOEXEC);
  fuse_lowlevel_ops ops{};
  ops.lookup = lookup;
  ops.getattr = getattr;
  ops.statfs = statfs;
  ops.open = open;
  ops.read = read;
  ops.write = write;
  ops.fsync = fsync;
  ops.getxattr = getxattr;
  char name[] = "stallfs";
  std::string option =
      std::string("-ofsname=stallfs,allow_other,subtype=") + (argc > 3 ? argv[3] : "stall");
  char* arguments[] = {name, option.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(2, arguments);
  fuse_session* session = fuse_session_new(&args, &ops, sizeof ops, nullptr);
  if (session == nullptr || fuse_session_mount(session, argv[1]) != 0) return 1;
  std::cout << "ready" << std::endl;
  const std::string mount_point = argv[1];
  std::thread control(commands, session, mount_point);
  fuse_session_loop(session);
  fuse_session_unmount(session);
  ::_exit(0);
}
