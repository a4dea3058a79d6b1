#include "workers/sandbox.h"

#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>

namespace volumeter {
namespace {

bool drop_capabilities() {
  for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; ++cap) {
    if (cap != CAP_DAC_READ_SEARCH) cap_drop_bound(cap);
  }
  const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> none(cap_init(), cap_free);
  const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> had(cap_get_proc(), cap_free);
  cap_flag_value_t has = CAP_CLEAR;
  cap_get_flag(had.get(), CAP_DAC_READ_SEARCH, CAP_PERMITTED, &has);
  if (has == CAP_SET) {
    const std::array<cap_value_t, 1> keep = {CAP_DAC_READ_SEARCH};
    cap_set_flag(none.get(), CAP_PERMITTED, 1, keep.data(), CAP_SET);
    cap_set_flag(none.get(), CAP_EFFECTIVE, 1, keep.data(), CAP_SET);
  }
  return cap_set_proc(none.get()) == 0;
}

// Landlock (5.13) checks opens for reading, listing and writing, and lets O_PATH through
// (security/landlock/fs.c, hook_file_open): with no rule at all, nothing but O_PATH is left.
bool restrict_landlock() {
  const landlock_ruleset_attr attr{
      .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                           LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR};
  const long ruleset = ::syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (ruleset < 0) return false;
  const bool done = ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  ::close(static_cast<int>(ruleset));
  return done;
}

bool restrict_syscalls() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;  // the sanitizers' own runtime needs more calls
#else
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = true;
  for (const int call :
       {SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(statx), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
        SCMP_SYS(fstatfs), SCMP_SYS(recvfrom), SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group)}) {
    ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0 && ok;
  }
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
#endif
}

}  // namespace

SandboxReport enter_metadata_sandbox() {
  SandboxReport report;
  // Order: the bounding set needs CAP_SETPCAP, the other two need no_new_privs.
  report.capabilities = drop_capabilities();
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  report.landlock = restrict_landlock();
  report.seccomp = restrict_syscalls();
  return report;
}

}  // namespace volumeter
