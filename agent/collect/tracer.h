// Attaches the BPF programs that measurers want, one after the other, each through a short-lived
// process (workers/tracing.h), and holds the links that keep them. Event-loop thread only; nothing
// here blocks.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/event_loop.h"
#include "measure/all.h"
#include "workers/spawn.h"
#include "workers/tracing.h"

namespace volumeter {

struct TracerOptions {
  std::string exe = "/proc/self/exe";
  bool enabled = true;
  std::set<std::string> disabled;  // measurers
  std::chrono::milliseconds deadline{20000};
  std::chrono::milliseconds retry{600000};
};

class Tracer {
 public:
  Tracer(EventLoop& loop, const Measurers& measurers, TracerOptions options);
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Asks the measurers what they want now: begins to attach it, and detaches the rest.
  void look();

  // Nothing is being attached, and nothing is about to be.
  [[nodiscard]] bool idle() const { return !process_; }

  // The programs that are wanted, and whether each is attached.
  [[nodiscard]] std::vector<std::pair<std::string, bool>> programs() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Program {
    TracingMeasurer* measurer = nullptr;
    bool wanted = false;
    std::vector<UniqueFd> links;
    Clock::time_point not_before{};
    std::string problem;  // the last one that was logged
  };
  struct Process {
    Child child;
    UniqueFd socket;
    std::string program;
    EventLoop::TimerId deadline;
  };

  void attach(const std::string& name, Program& program);
  void receive();
  void take(Program& program, const std::string& name, Result<std::vector<UniqueFd>> fds);
  void end_process();

  EventLoop& loop_;
  const TracerOptions options_;
  std::vector<TracingMeasurer*> measurers_;
  std::map<std::string, Program> programs_;  // by name
  std::map<TracingMeasurer*, std::vector<UniqueFd>> maps_;
  std::optional<Process> process_;
  std::vector<Child> dying_;
};

}  // namespace volumeter
