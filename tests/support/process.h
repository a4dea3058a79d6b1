// A child process with pipes to its standard input and output; ended, by pid, when it goes out of
// scope.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/unique_fd.h"

namespace volumeter::test {

using namespace std::chrono_literals;

class Process {
 public:
  struct Options {
    std::vector<std::string> environment;  // NAME=value, instead of the caller's when not empty
    std::string stderr_path;               // appended to; empty: the caller's standard error
    std::string cgroup;                    // a cgroup directory to start in
    bool new_pid_namespace = false;        // the child is pid 1 of its own
  };
  Process(const std::vector<std::string>& argv, const Options& options);
  explicit Process(const std::vector<std::string>& argv) : Process(argv, Options{}) {}
  ~Process();
  Process(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  void send(const std::string& line) const;
  std::string read_line() const;  // empty at the end
  void close_input() { in_.reset(); }
  // The exit code (128+n for a signal), or nothing when it hasn't ended by then.
  std::optional<int> wait(std::chrono::milliseconds limit);

 private:
  pid_t pid_ = -1;
  UniqueFd in_;
  UniqueFd out_;
  std::optional<int> code_;
};

// Runs to the end; the exit code and everything it printed on both outputs.
struct Output {
  int code = -1;
  std::string text;
};
Output run(const std::vector<std::string>& argv);
// The same, and ends this program with a message when it fails.
void must_run(const std::vector<std::string>& argv);

// A file as it is, of any size; empty when it can't be read.
std::string read_all(const std::string& path);

// Polls until `condition`, for at most `limit`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = 20s);

}  // namespace volumeter::test
