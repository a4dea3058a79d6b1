// What a worker keeps for all its probes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "blockio/io_engine.h"
#include "blockio/test_file.h"
#include "host/clock.h"
#include "measure/probe/probe.h"

namespace volumeter::probe {

struct Worker {
  std::unique_ptr<IoEngine> engine;  // at rest between probes
  UniqueFd schedstat;                // none where the kernel has no such file
};
Worker& worker();

// How long this process has waited for a CPU so far, in ns (kernel: Documentation/scheduler/
// sched-stats.rst, /proc/<pid>/schedstat); 0 where the kernel doesn't say.
std::uint64_t cpu_wait_ns();
// More than half of a measured time: that was the node's CPUs (or a limit on ours), not the volume.
bool waited_too_long(std::uint64_t waited_ns, std::uint64_t took_ns);

TestFile make_file(int directory, ProbeWay way);

// One request from submission to completion. Returns 0 or an errno; EIO when it came back short.
int run(int fd, const IoRequest& request);

int pulse(int fd, std::uint64_t argument, SampleAnswer& answer);
int burst(int fd, std::uint64_t argument, SampleAnswer& answer);

}  // namespace volumeter::probe
