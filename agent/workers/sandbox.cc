#include "workers/sandbox.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "host/unique_fd.h"

namespace volumeter {
namespace {

constexpr int kProjectQuota = 2;  // PRJQUOTA (include/uapi/linux/quota.h), not in glibc's header

using CapState = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;

bool drop_capabilities(WorkerProfile profile) {
  std::vector<cap_value_t> wanted = {CAP_DAC_READ_SEARCH};
  if (profile == WorkerProfile::kListing) wanted.push_back(CAP_SYS_ADMIN);
  for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; ++cap) {
    if (std::find(wanted.begin(), wanted.end(), cap) == wanted.end()) cap_drop_bound(cap);
  }
  const CapState kept(cap_init(), cap_free);
  const CapState had(cap_get_proc(), cap_free);
  for (const cap_value_t cap : wanted) {
    cap_flag_value_t has = CAP_CLEAR;
    cap_get_flag(had.get(), cap, CAP_PERMITTED, &has);
    if (has != CAP_SET) continue;
    cap_set_flag(kept.get(), CAP_PERMITTED, 1, &cap, CAP_SET);
    cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &cap, CAP_SET);
  }
  return cap_set_proc(kept.get()) == 0;
}

bool allow_listing(int ruleset) {
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const landlock_path_beneath_attr everywhere{.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR,
                                              .parent_fd = root.get()};
  return ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &everywhere, 0) == 0;
}

// Landlock (5.13) checks opens for reading, listing and writing, and lets O_PATH through
// (security/landlock/fs.c, hook_file_open): with no rule at all, nothing but O_PATH is left.
bool restrict_landlock(WorkerProfile profile) {
  const landlock_ruleset_attr attr{
      .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                           LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR};
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0)));
  if (!ruleset) return false;
  if (profile == WorkerProfile::kListing && !allow_listing(ruleset.get())) return false;
  return ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
bool allow(scmp_filter_ctx filter, std::initializer_list<int> calls) {
  return std::all_of(calls.begin(), calls.end(), [&](int call) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  });
}

// Where Landlock is missing this is what keeps a listing worker from a file's content: it may open
// one, but neither read nor map it.
bool allow_listing_calls(scmp_filter_ctx filter) {
  const auto only = [&](int call, scmp_arg_cmp argument) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, argument) == 0;
  };
  // Of the register, the kernel takes the lower half.
  const auto command = [](std::uint32_t value) {
    return SCMP_A1(SCMP_CMP_MASKED_EQ, 0xFFFFFFFFU, value);
  };
  return allow(filter, {SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(fgetxattr), SCMP_SYS(brk),
                        SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex)}) &&
         only(SCMP_SYS(mmap), SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)) &&
         only(SCMP_SYS(ioctl), command(FS_IOC_FSGETXATTR)) &&
         only(SCMP_SYS(quotactl_fd),
              command(static_cast<std::uint32_t>(QCMD(Q_GETQUOTA, kProjectQuota))));
}
#endif

bool restrict_syscalls([[maybe_unused]] WorkerProfile profile) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;  // the sanitizers' own runtime needs more calls
#else
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return false;
  bool ok = allow(filter, {SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(statx), SCMP_SYS(fstat),
                           SCMP_SYS(newfstatat), SCMP_SYS(fstatfs), SCMP_SYS(recvfrom),
                           SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall),
                           SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group)});
  if (profile == WorkerProfile::kListing) ok = allow_listing_calls(filter) && ok;
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
#endif
}

}  // namespace

SandboxReport enter_sandbox(WorkerProfile profile) {
  SandboxReport report;
  // Order: the bounding set needs CAP_SETPCAP, the other two need no_new_privs.
  report.capabilities = drop_capabilities(profile);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  report.landlock = restrict_landlock(profile);
  report.seccomp = restrict_syscalls(profile);
  return report;
}

}  // namespace volumeter
