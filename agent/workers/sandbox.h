// Takes away what a worker doesn't need. Irreversible, for the calling process.
#pragma once

#include "volumeter/result.h"

namespace volumeter {

// What the kernel granted; a part that it lacks is named, and the others still hold.
struct SandboxReport {
  bool capabilities = false;  // all dropped but CAP_DAC_READ_SEARCH
  bool landlock = false;      // no file can be opened for reading, listing or writing
  bool seccomp = false;       // only the calls of a statfs worker
};

// For workers that only look at metadata: O_PATH opens, statx, fstatfs and receiving from the
// socket they have.
SandboxReport enter_metadata_sandbox();

}  // namespace volumeter
