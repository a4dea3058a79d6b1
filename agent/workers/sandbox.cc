#include "workers/sandbox.h"

#include <fcntl.h>
#include <linux/bpf.h>
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
#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "host/unique_fd.h"

namespace volumeter {
namespace {

using CapState = std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)>;

std::vector<cap_value_t> capabilities_of(WorkerProfile profile) {
  switch (profile) {
    case WorkerProfile::kMetadata:
      return {CAP_DAC_READ_SEARCH};
    case WorkerProfile::kListing:
      return {CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN};
    case WorkerProfile::kTracing:
      // For any bpf(2) where that is closed to users (kernel/bpf/syscall.c).
      return {CAP_BPF};
    case WorkerProfile::kProcess:
      return {CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE};
    case WorkerProfile::kProbing:
      // Most volumes' directories belong to whom the workload runs as.
      return {CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE};
  }
  return {};
}

bool drop_capabilities(WorkerProfile profile) {
  const CapState had(cap_get_proc(), cap_free);
  const auto has = [&](cap_value_t cap) {
    cap_flag_value_t value = CAP_CLEAR;
    cap_get_flag(had.get(), cap, CAP_PERMITTED, &value);
    return value == CAP_SET;
  };
  std::vector<cap_value_t> wanted = capabilities_of(profile);
  // Which stands for CAP_BPF where that isn't granted by itself.
  if (profile == WorkerProfile::kTracing && !has(CAP_BPF)) wanted = {CAP_SYS_ADMIN};
  for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; ++cap) {
    if (std::find(wanted.begin(), wanted.end(), cap) == wanted.end()) cap_drop_bound(cap);
  }
  const CapState kept(cap_init(), cap_free);
  for (const cap_value_t cap : wanted) {
    if (!has(cap)) continue;
    cap_set_flag(kept.get(), CAP_PERMITTED, 1, &cap, CAP_SET);
    cap_set_flag(kept.get(), CAP_EFFECTIVE, 1, &cap, CAP_SET);
  }
  return cap_set_proc(kept.get()) == 0;
}

bool allow_everywhere(int ruleset, std::uint64_t access) {
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const landlock_path_beneath_attr everywhere{.allowed_access = access, .parent_fd = root.get()};
  return ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &everywhere, 0) == 0;
}

// Landlock (5.13) checks opens for reading, listing and writing, and lets O_PATH through
// (security/landlock/fs.c, hook_file_open): with no rule at all, nothing but O_PATH is left.
bool restrict_landlock(WorkerProfile profile) {
  // In a Landlock domain no process outside of it may be looked at (security/landlock/ptrace.c).
  if (profile == WorkerProfile::kProcess) return false;
  const landlock_ruleset_attr attr{
      .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                           LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                           LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR};
  const UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0)));
  if (!ruleset) return false;
  std::uint64_t access = 0;
  if (profile == WorkerProfile::kListing) access = LANDLOCK_ACCESS_FS_READ_DIR;
  if (profile == WorkerProfile::kProbing) {
    access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
  }
  if (access != 0 && !allow_everywhere(ruleset.get(), access)) return false;
  return ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
bool allow(scmp_filter_ctx filter, std::initializer_list<int> calls) {
  return std::all_of(calls.begin(), calls.end(), [&](int call) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
  });
}

bool allow_if(scmp_filter_ctx filter, int call, scmp_arg_cmp argument) {
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, argument) == 0;
}

// Of a register with a command, the kernel takes the lower half.
scmp_arg_cmp command(std::uint32_t value, unsigned position) {
  return {position, SCMP_CMP_MASKED_EQ, 0xFFFFFFFFU, value};
}

bool allow_memory(scmp_filter_ctx filter) {
  return allow(filter, {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
                        SCMP_SYS(futex)}) &&
         allow_if(filter, SCMP_SYS(mmap), {3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS});
}

bool allow_calls_of(WorkerProfile profile, scmp_filter_ctx filter) {
  switch (profile) {
    case WorkerProfile::kMetadata:
      return true;
    case WorkerProfile::kListing:
      // Where Landlock is missing this is what keeps it from a file's content: it may open one, but
      // neither read nor map it.
      return allow_memory(filter) &&
             allow(filter, {SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(fgetxattr)}) &&
             allow_if(filter, SCMP_SYS(ioctl), command(FS_IOC_FSGETXATTR, 1)) &&
             allow_if(filter, SCMP_SYS(quotactl_fd),
                      command(static_cast<std::uint32_t>(QCMD(Q_GETQUOTA, kProjectQuota)), 1));
    case WorkerProfile::kTracing:
      return allow_memory(filter) && allow(filter, {SCMP_SYS(read), SCMP_SYS(sendto)}) &&
             allow_if(filter, SCMP_SYS(bpf), command(BPF_ITER_CREATE, 0));
    case WorkerProfile::kProcess:
      return allow_memory(filter) &&
             allow(filter, {SCMP_SYS(read), SCMP_SYS(sendto), SCMP_SYS(openat), SCMP_SYS(dup),
                            SCMP_SYS(getdents64), SCMP_SYS(readlinkat), SCMP_SYS(fcntl)});
    case WorkerProfile::kProbing:
      // The ring is there already, and restricted; io_submit and io_getevents are for when it
      // isn't. Opened are new files, and what is only read: devices.
      return allow_memory(filter) &&
             allow(filter, {SCMP_SYS(unlinkat), SCMP_SYS(geteuid), SCMP_SYS(fcntl),
                            SCMP_SYS(preadv2), SCMP_SYS(pread64), SCMP_SYS(io_uring_enter),
                            SCMP_SYS(io_submit), SCMP_SYS(io_getevents)}) &&
             allow_if(filter, SCMP_SYS(openat), {2, SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE}) &&
             allow_if(filter, SCMP_SYS(openat),
                      {2, SCMP_CMP_MASKED_EQ, O_CREAT | O_EXCL, O_CREAT | O_EXCL}) &&
             allow_if(filter, SCMP_SYS(openat),
                      {2, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}) &&
             allow_if(filter, SCMP_SYS(ioctl), command(BLKGETSIZE64, 1));
  }
  return false;
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
  ok = allow_calls_of(profile, filter) && ok;
  ok = ok && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return ok;
#endif
}

}  // namespace

// A program that root executes gets back what the bounding set holds (capabilities(7)), which is
// left alone; unless no_new_privs is set: then it gets no more than this process may have.
void shed_capabilities() {
  if (::geteuid() != 0) return;
  const CapState caps(cap_get_proc(), cap_free);
  const bool may_come_back = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
  constexpr std::array kKept = {CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, CAP_NET_BIND_SERVICE};
  for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; ++cap) {
    if (std::find(kKept.begin(), kKept.end(), cap) != kKept.end()) continue;
    cap_set_flag(caps.get(), CAP_EFFECTIVE, 1, &cap, CAP_CLEAR);
    if (may_come_back) cap_set_flag(caps.get(), CAP_PERMITTED, 1, &cap, CAP_CLEAR);
  }
  cap_set_proc(caps.get());
}

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
