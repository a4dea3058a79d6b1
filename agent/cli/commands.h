// The subcommands. Each returns the process's exit code: 0 done, 1 it failed, 2 a configuration
// that can't work.
#pragma once

#include "config/config.h"
#include "measure/all.h"

namespace volumeter {

int run_agent(const Config& config, const Measurers& measurers);
int run_du(const DuOptions& options);
int run_df(const Config& config, const Measurers& measurers);

}  // namespace volumeter
