// Passing open files from one process to another (unix(7), SCM_RIGHTS).
#pragma once

#include <vector>

#include "host/unique_fd.h"
#include "volumeter/result.h"

namespace volumeter {

inline constexpr std::size_t kMostFds = 8;  // in a message

// One message with what went wrong, or with `fds`. False when it can't be sent.
bool send_fds(int socket, const Result<std::vector<int>>& fds);

// Waits for one unless the socket doesn't block. The error is the sender's, its text cut short
// where it is long; ECHILD when the sender has gone; EAGAIN when there is no message yet.
Result<std::vector<UniqueFd>> receive_fds(int socket);

}  // namespace volumeter
