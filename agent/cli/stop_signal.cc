#include "cli/stop_signal.h"

#include <csignal>

namespace volumeter {
namespace {

std::atomic<bool> g_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

const std::atomic<bool>& stop_flag() { return g_stop; }

}  // namespace volumeter
