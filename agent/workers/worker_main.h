// The worker process: the only code that touches a volume's path.
#pragma once

#include <span>
#include <string>

#include "volumeter/measurer.h"
#include "workers/protocol.h"

namespace volumeter {

// argv[1] of a worker; the daemon starts /proc/self/exe with it.
inline constexpr const char* kWorkerCommand = "worker";

// Serves requests from kWorkerSocket until the daemon closes it. `rootfs` is where the host's root
// is mounted. Returns the exit code.
int worker_main(const std::string& rootfs, WorkerProfile profile,
                std::span<const SampleFunction> functions);

// One request: opens the target O_PATH below `rootfs_fd`, checks that it is the filesystem asked
// for, calls the function, closes. May hang; doesn't allocate. The paths follow `request`.
WorkerReply serve_request(int rootfs_fd, const WorkerRequest& request,
                          std::span<const SampleFunction> functions);

}  // namespace volumeter
