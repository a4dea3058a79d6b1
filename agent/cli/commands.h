// The subcommands. Each returns the process's exit code: 0 done, 1 it failed, 2 a configuration
// that can't work.
#pragma once

#include "config/config.h"
#include "measure/all.h"

namespace volumeter {

int run_agent(const Config& config, const Measurers& measurers);
int run_du(const DuOptions& options);
int run_bench(const BenchOptions& options, bool json);
// 0: fit, 1: not fit (or it failed), 3: insufficient data.
int run_check(const CheckOptions& options, bool json);
int run_df(const Config& config, const Measurers& measurers);

}  // namespace volumeter
