#include "workers/worker_main.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include "host/clock.h"
#include "host/unique_fd.h"
#include "workers/sandbox.h"

namespace volumeter {
namespace {

// Mount points in mountinfo hold no symlinks, so one found on the way is somebody's trick.
int open_path(int rootfs_fd, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, rootfs_fd, path, &how, sizeof how));
}

// The rest of the way belongs to whoever owns the directories on it: not through a link, not out,
// and not onto a mount that the mount table didn't show.
int open_below(int fd, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return static_cast<int>(::syscall(SYS_openat2, fd, path, &how, sizeof how));
}

int check_visible(int fd, const WorkerRequest& request, std::uint64_t& inode) {
  struct statx st {};
  // The device number and the mount-root flag are the kernel's own: no need to ask a server, and
  // FUSE refuses root everything else on a user's private mount.
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) != 0) return errno;
  if (request.check == VisibilityCheck::kBlockDevice) {
    const bool same = S_ISBLK(st.stx_mode) && st.stx_rdev_major == request.device.major &&
                      st.stx_rdev_minor == request.device.minor;
    return same ? 0 : kNotVisible;
  }
  const bool mount_root = (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT & st.stx_attributes) != 0;
  const bool same_device =
      st.stx_dev_major == request.device.major && st.stx_dev_minor == request.device.minor;
  const bool visible = request.check == VisibilityCheck::kMountRoot ? mount_root : same_device;
  if ((st.stx_mask & STATX_INO) != 0) inode = st.stx_ino;
  return visible ? 0 : kNotVisible;
}

ReplyRing* g_replies = nullptr;
std::uint64_t g_serving = 0;  // the request's id

void reply(const WorkerReply& answer) {
  const std::uint64_t count = g_replies->count.load(std::memory_order_relaxed);
  g_replies->slots[count % kReplySlots] = answer;
  g_replies->count.store(count + 1, std::memory_order_release);
}

// One message of requests; 0 bytes when there is none, for now or any more.
std::size_t receive(std::span<std::byte> buffer, int flags) {
  ssize_t n = 0;
  do {
    n = ::recv(kWorkerSocket, buffer.data(), buffer.size(), flags);
  } while (n < 0 && errno == EINTR);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

template <class Visit>
void each_request(std::span<const std::byte> message, Visit&& visit) {
  while (message.size() >= sizeof(WorkerRequest)) {
    const auto& request = *reinterpret_cast<const WorkerRequest*>(message.data());
    if (request.size() > message.size()) return;  // cut off: the daemon never sends one so long
    visit(request);
    message = message.subspan(request.size());
  }
}

// Walks can wait: the lowest weight for CPU time, and the disk when nobody else wants it. Not
// SCHED_IDLE, which could keep us from running while we hold a directory's lock that others wait
// for.
void be_humble() {
  constexpr int kWhoProcess = 1;       // IOPRIO_WHO_PROCESS
  constexpr int kIdleClass = 3 << 13;  // IOPRIO_CLASS_IDLE (include/uapi/linux/ioprio.h)
  ::syscall(SYS_ioprio_set, kWhoProcess, 0, kIdleClass);
  ::setpriority(PRIO_PROCESS, 0, 19);
}

void cancel(const WorkerRequest& request) {
  WorkerReply cancelled;
  cancelled.id = request.id;
  cancelled.answer.error = kCancelled;
  reply(cancelled);
}

}  // namespace

bool asked_to_stop() {
  return g_replies != nullptr && g_replies->stop.load(std::memory_order_acquire) == g_serving;
}

void note_progress(std::uint64_t progress) {
  if (g_replies != nullptr) g_replies->progress.store(progress, std::memory_order_release);
}

WorkerReply serve_request(int rootfs_fd, const WorkerRequest& request,
                          std::span<const SampleFunction> functions) {
  WorkerReply answer;
  answer.id = g_serving = request.id;
  note_progress(0);
  const std::uint64_t start = monotonic_ns();
  UniqueFd fd(open_path(rootfs_fd, request.path()));
  std::int32_t& error = answer.answer.error;
  error = fd ? check_visible(fd.get(), request, answer.answer.inode) : errno;
  if (error == 0 && request.below_length > 0) {
    fd = UniqueFd(open_below(fd.get(), request.below()));
    answer.answer.inode = 0;
    if (!fd) error = errno == EXDEV ? kNotVisible : errno;
    struct statx st {};
    if (fd && ::statx(fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) == 0) {
      answer.answer.inode = st.stx_ino;
    }
  }
  if (error == 0) {
    error = request.function < functions.size() && functions[request.function] != nullptr
                ? functions[request.function](fd.get(), request.argument, answer.answer)
                : ENOSYS;
  }
  fd.reset();
  answer.duration_ns = monotonic_ns() - start;
  return answer;
}

int worker_main(const std::string& rootfs, const WorkerDuty& duty) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  void* page =
      ::mmap(nullptr, sizeof(ReplyRing), PROT_READ | PROT_WRITE, MAP_SHARED, kWorkerReplies, 0);
  if (page == MAP_FAILED) return 1;
  g_replies = static_cast<ReplyRing*>(page);
  // The mapping stays; and whatever the daemon was given without O_CLOEXEC goes too.
  ::close_range(kWorkerReplies, ~0U, 0);
  ::prctl(PR_SET_NAME, "volumeter-worker", 0, 0, 0);
  const UniqueFd root(::open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return 1;
  if (duty.profile == WorkerProfile::kListing) be_humble();
  if (duty.prepare != nullptr && !duty.prepare()) return 1;
  if (!enter_sandbox(duty.profile).capabilities) return 1;
  g_replies->ready.store(1, std::memory_order_release);

  alignas(kRequestAlignment) static std::array<std::byte, kMaxRequestMessage> buffer;
  while (const std::size_t size = receive(buffer, 0)) {
    g_replies->received.fetch_add(1, std::memory_order_release);
    bool stalled = false;
    each_request({buffer.data(), size}, [&](const WorkerRequest& request) {
      if (stalled) return cancel(request);
      const WorkerReply answer = serve_request(root.get(), request, duty.functions);
      reply(answer);
      stalled = answer.duration_ns >= kStallNs;
    });
    while (const std::size_t late = stalled ? receive(buffer, MSG_DONTWAIT) : 0) {
      g_replies->received.fetch_add(1, std::memory_order_release);
      each_request({buffer.data(), late}, cancel);
    }
  }
  return 0;
}

}  // namespace volumeter
