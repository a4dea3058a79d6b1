// Runs one job.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "benchmark/job.h"
#include "blockio/test_file.h"

namespace volumeter {

// How it goes, for people who watch.
struct JobProgress {
  double share = 0;                  // of the time, 0 to 1; the ramp is part of it
  double operations_per_second = 0;  // since the last call
  std::uint64_t p99_ns = 0;          // likewise; total latency, or a sync's where there are syncs
};

struct JobControl {
  const std::atomic<bool>* stop = nullptr;           // ends it soon; may be null
  std::function<void(const JobProgress&)> progress;  // a few times a second; may be empty
};

// On `file`, laid out unless the job extends it, of `spec.size` bytes. What is under way is waited
// for, however it ends.
JobResult run_job(const JobSpec& spec, const TestFile& file, const JobControl& control);

}  // namespace volumeter
