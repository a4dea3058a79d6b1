// Ctrl-C and its like as a flag, for tools that clean up by ending.
#pragma once

#include <atomic>

namespace volumeter {

// From now on SIGINT, SIGTERM and SIGHUP set the flag; a second one ends the process.
void stop_on_signals();
const std::atomic<bool>& stop_flag();
inline bool stop_requested() { return stop_flag().load(); }

}  // namespace volumeter
