#include "workers/worker_main.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "host/unique_fd.h"
#include "workers/sandbox.h"

namespace volumeter {
namespace {

std::uint64_t now_ns() {
  timespec ts{};
  ::clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(ts.tv_nsec);
}

// Mount points in mountinfo hold no symlinks, so one found on the way is somebody's trick.
int open_path(int rootfs_fd, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, rootfs_fd, path, &how, sizeof how));
}

int check_visible(int fd, const WorkerRequest& request) {
  struct statx st {};
  // The device number and the mount-root flag are the kernel's own: no need to ask a server.
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) != 0) return errno;
  const bool mount_root =
      (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT & st.stx_attributes) != 0;
  const bool same_device = st.stx_dev_major == request.device.major &&
                           st.stx_dev_minor == request.device.minor;
  const bool visible =
      request.check == VisibilityCheck::kMountRoot ? mount_root : same_device;
  return visible ? 0 : kNotVisible;
}

void reply(const WorkerReply& answer) {
  ssize_t sent = 0;
  do {
    sent = ::send(kWorkerSocket, &answer, sizeof answer, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) ::_exit(1);
}

// False when there is nothing to serve, for now or any more.
bool receive(WorkerRequest& request, int flags) {
  ssize_t n = 0;
  do {
    n = ::recv(kWorkerSocket, &request, sizeof request, flags);
  } while (n < 0 && errno == EINTR);
  return n > 0;
}

}  // namespace

WorkerReply serve_request(int rootfs_fd, const WorkerRequest& request,
                          std::span<const SampleFunction> functions) {
  WorkerReply answer;
  answer.id = request.id;
  const std::uint64_t start = now_ns();
  const int fd = open_path(rootfs_fd, request.path.data());
  if (fd < 0) {
    answer.answer.error = errno;
  } else {
    answer.answer.error = check_visible(fd, request);
    if (answer.answer.error == 0) {
      answer.answer.error = request.function < functions.size() && functions[request.function] != nullptr
                                ? functions[request.function](fd, answer.answer)
                                : ENOSYS;
    }
    ::close(fd);
  }
  answer.duration_ns = now_ns() - start;
  return answer;
}

int worker_main(const std::string& rootfs, std::span<const SampleFunction> functions) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::close_range(kWorkerSocket + 1, ~0U, 0);  // whatever the daemon was given without O_CLOEXEC
  ::prctl(PR_SET_NAME, "volumeter-worker", 0, 0, 0);
  const UniqueFd root(::open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return 1;
  enter_metadata_sandbox();

  static WorkerRequest request;  // too large for comfort on a stack
  while (receive(request, 0)) {
    const WorkerReply answer = serve_request(root.get(), request, functions);
    reply(answer);
    if (answer.duration_ns < kStallNs) continue;
    while (receive(request, MSG_DONTWAIT)) {
      WorkerReply cancelled;
      cancelled.id = request.id;
      cancelled.answer.error = ECANCELED;
      reply(cancelled);
    }
  }
  return 0;
}

}  // namespace volumeter
