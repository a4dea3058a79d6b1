// The worker process: the only code that touches a volume's path.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "volumeter/measurer.h"
#include "workers/protocol.h"

namespace volumeter {

// argv[1] of a worker; the daemon starts /proc/self/exe with it.
inline constexpr const char* kWorkerCommand = "worker";

// What workers of one profile do.
struct WorkerDuty {
  WorkerProfile profile = WorkerProfile::kMetadata;
  std::vector<SampleFunction> functions;
  // Called once, before the sandbox: for what can't be made inside. False: it can't work.
  bool (*prepare)() = nullptr;
};

// Serves requests from kWorkerSocket until the daemon closes it. `rootfs` is where the host's root
// is mounted. Returns the exit code.
int worker_main(const std::string& rootfs, const WorkerDuty& duty);

// For functions that take long: whether the daemon wants the request being served to end soon, and
// how far it is, in the function's own terms.
bool asked_to_stop();
void note_progress(std::uint64_t progress);

// One request: opens the target O_PATH below `rootfs_fd`, checks that it is the filesystem asked
// for, calls the function, closes. May hang; doesn't allocate. The paths follow `request`.
WorkerReply serve_request(int rootfs_fd, const WorkerRequest& request,
                          std::span<const SampleFunction> functions);

}  // namespace volumeter
