// Starts this binary again as a worker: a clean address space, without the daemon's files, secrets
// and threads.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "host/unique_fd.h"
#include "volumeter/result.h"

namespace volumeter {

// A process of ours, killed and waited for by whoever owns this.
struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;

  void kill() const;
  // True once it has ended and been reaped; never waits.
  [[nodiscard]] bool reap() const;
};

// `exe worker <arguments...>` with `fds` as its 3, 4, ... and nothing else open, an empty
// environment and default signal handling.
Result<Child> spawn_worker(const std::string& exe, const std::vector<std::string>& arguments,
                           const std::vector<int>& fds);

// The same with a socket of whole messages between the two as its first fd; this end doesn't block.
struct ConnectedChild {
  Child child;
  UniqueFd socket;
};
Result<ConnectedChild> spawn_connected(const std::string& exe,
                                       const std::vector<std::string>& arguments,
                                       const std::vector<int>& more_fds = {});

}  // namespace volumeter
