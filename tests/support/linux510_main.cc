// Runs a program as if on Linux 5.10, the oldest kernel served: system calls that are newer answer
// ENOSYS, in it and in all that it starts.
//   linux510 PROGRAM ARGUMENTS...
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>

namespace {

// process_madvise (440) is Linux 5.10's last, on every architecture
// (include/uapi/asm-generic/unistd.h); epoll_pwait2 came with 5.11.
constexpr unsigned kFirstNewer = 441;

bool refuse_newer_calls() {
  std::array filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kFirstNewer, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: linux510 PROGRAM ARGUMENTS...\n");
    return 2;
  }
  if (!refuse_newer_calls()) {
    std::perror("linux510: seccomp");
    return 1;
  }
  errno = 0;
  if (::syscall(kFirstNewer, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS) {
    std::fprintf(stderr, "linux510: the filter does nothing\n");
    return 1;
  }
  ::execv(argv[1], argv + 1);
  std::perror(argv[1]);
  return 1;
}
