// Takes away what a worker doesn't need. Irreversible, for the calling process.
#pragma once

#include "workers/protocol.h"

namespace volumeter {

// PRJQUOTA (include/uapi/linux/quota.h), not in glibc's header: what a listing worker may ask for.
inline constexpr int kProjectQuota = 2;

// What the kernel granted; a part that it lacks is named, and the others still hold.
struct SandboxReport {
  bool capabilities = false;  // all dropped but CAP_DAC_READ_SEARCH
  bool landlock = false;      // no file can be opened for reading or writing
  bool seccomp = false;       // only the calls of this profile
};

// kMetadata: O_PATH opens, statx, fstatfs and receiving from the socket it has.
// kListing: opening and listing directories, reading their project IDs and ceph's counters, asking
// for project quotas (CAP_SYS_ADMIN is kept for that where it was granted), and memory.
// kTracing: making and reading BPF iterators.
// kProcess: reading files, and looking through /proc/<pid>/fd (CAP_SYS_PTRACE). Without Landlock,
// which forbids that: the weakest of them, and only used where BPF can't be.
// kProbing: opening files for reading and writing, and I/O on a ring or AIO context that was made
// before.
SandboxReport enter_sandbox(WorkerProfile profile);

// For the daemon, before it has threads: gives up what only its workers need, such as CAP_BPF and
// CAP_SYS_ADMIN. They get it back when they are executed. Where the container has no_new_privs,
// they couldn't; there it stays permitted, and isn't effective.
void shed_capabilities();

}  // namespace volumeter
