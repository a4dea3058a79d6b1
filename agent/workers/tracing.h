// Measurers that count with BPF programs, and the short-lived process that attaches one.
//
// Loading a program takes CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), and libbpf reads the kernel's
// type information for it, which takes 20 MiB. So each program is loaded and attached by a process
// of its own, which hands over the open files and ends: the daemon keeps neither the capabilities
// nor the memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/unique_fd.h"
#include "volumeter/measurer.h"

namespace volumeter {

class TracingMeasurer : public LiveMeasurer {
 public:
  // Every program it may ask for.
  [[nodiscard]] virtual std::vector<std::string> all_programs() const = 0;
  // Those that should be attached now. Event-loop thread, now and then.
  [[nodiscard]] virtual std::vector<std::string> wanted_programs() = 0;

  // In a process of its own: loads `program`, over the maps that an earlier one handed over (none:
  // it makes them), and attaches it. Returns the links' fds, one or more, then the maps'; they stay
  // open until the process ends. An error says what is missing.
  [[nodiscard]] virtual Result<std::vector<int>> attach(const std::string& program,
                                                        const std::vector<int>& maps) const = 0;

  // How many maps its programs share.
  [[nodiscard]] virtual std::size_t map_count() const = 0;

  // Takes note of maps, once. Event-loop thread; must not need any capability.
  virtual Status adopt(const std::vector<UniqueFd>& maps) = 0;
  // `program` has been attached or detached. Event-loop thread.
  virtual void on_attached(const std::string& program, bool attached) = 0;
};

// argv[2] of the process; a measurer's and a program's name follow, and how many maps it has been
// given.
inline constexpr const char* kTracingWorker = "trace";

// The process: attaches, sends the fds over kWorkerSocket and returns the exit code. `maps` of its
// files, from kWorkerSocket + 1 on, are maps.
int tracing_main(const TracingMeasurer& measurer, const std::string& program, unsigned maps);

}  // namespace volumeter
