#include "workers/tracing.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <numeric>

#include "workers/fd_message.h"
#include "workers/protocol.h"

namespace volumeter {

int tracing_main(const TracingMeasurer& measurer, const std::string& program, unsigned maps) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_NAME, "volumeter-trace", 0, 0, 0);
  ::close_range(kWorkerSocket + 1 + maps, ~0U, 0);
  std::vector<int> fds(std::min<std::size_t>(maps, kMostFds - 1));
  std::iota(fds.begin(), fds.end(), kWorkerSocket + 1);
  return send_fds(kWorkerSocket, measurer.attach(program, fds)) ? 0 : 1;
}

}  // namespace volumeter
