// The same sum as Walk's, by several threads: for people who wait for it (`volumeter du`).
#pragma once

#include <functional>
#include <string>

#include "measure/usage/walk.h"

namespace volumeter {

struct ParallelWalk {
  int threads = 2;
  std::size_t hard_link_bytes = 256 << 20;
  Walk::OnError on_error = {};                              // one call at a time, on any thread
  std::function<void(const WalkTotals&)> on_progress = {};  // likewise, a few times a second
};

// Everything below `root`, an fd of a directory. Keeps the paths of directories that are found and
// not yet looked into: more memory than a Walk takes.
WalkTotals walk_in_parallel(int root, const ParallelWalk& options);

}  // namespace volumeter
