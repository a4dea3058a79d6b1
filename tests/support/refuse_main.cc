// Runs a program to which the kernel refuses one system call (EPERM), as a container's seccomp
// profile does; in all that it starts, too.
//   refuse SYSCALL PROGRAM ARGUMENTS...
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: refuse SYSCALL PROGRAM ARGUMENTS...\n");
    return 2;
  }
  const int call = seccomp_syscall_resolve_name(argv[1]);
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (call == __NR_SCMP_ERROR || filter == nullptr ||
      seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) != 0 || seccomp_load(filter) != 0) {
    std::fprintf(stderr, "refuse: %s can't be refused\n", argv[1]);
    return 1;
  }
  ::execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
