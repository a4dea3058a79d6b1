// Results as people and scripts read them.
#pragma once

#include <string>
#include <vector>

#include "benchmark/job.h"
#include "benchmark/target.h"

namespace volumeter {

// fio's own layout (fio: stat.c, add_ddir_status_json), as far as there is something to say; what
// scripts read of it means the same. `volumeter.caveats` is ours.
std::string to_fio_json(const BenchTarget& target, const std::vector<JobResult>& results,
                        const std::vector<std::string>& caveats);

// A table: IOPS, bandwidth, and how long submission, completion and all of it took.
std::string to_bench_table(const BenchTarget& target, const std::vector<JobResult>& results,
                           const std::vector<std::string>& caveats);

// "1.25 ms", three digits; "812 ns".
std::string short_time(double ns);
// "12.3k", "48"
std::string short_count(double value);

}  // namespace volumeter
