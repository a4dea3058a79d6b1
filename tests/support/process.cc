#include "support/process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace volumeter::test {
namespace {

[[noreturn]] void child(const std::vector<std::string>& argv, const Process::Options& options,
                        int in, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!options.cgroup.empty()) {
    std::ofstream(options.cgroup + "/cgroup.procs") << ::getpid() << std::endl;
  }
  ::dup2(in, 0);
  ::dup2(out, 1);
  if (!options.stderr_path.empty()) {
    const int log = ::open(options.stderr_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(log, 2);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  for (const std::string& item : options.environment) {
    environment.push_back(const_cast<char*>(item.c_str()));
  }
  environment.push_back(nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (options.environment.empty()) {
    ::execvp(arguments[0], arguments.data());
  } else {
    ::execvpe(arguments[0], arguments.data(), environment.data());
  }
  std::perror(arguments[0]);
  ::_exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Process::Process(const std::vector<std::string>& argv, const Options& options) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
  in_.reset(in[1]);
  out_.reset(out[0]);
  if (options.new_pid_namespace) {
    // unshare() moves the children to come, not the caller.
    const UniqueFd own(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
    if (::unshare(CLONE_NEWPID) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) child(argv, options, in[0], out[1]);
    if (::setns(own.get(), CLONE_NEWPID) != 0) std::abort();
  } else {
    pid_ = ::fork();
    if (pid_ == 0) child(argv, options, in[0], out[1]);
  }
  ::close(in[0]);
  ::close(out[1]);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      code_(other.code_) {}

Process::~Process() {
  if (pid_ <= 0 || code_) return;
  ::kill(pid_, SIGCONT);
  ::kill(pid_, SIGTERM);
  in_.reset();
  if (wait(3s)) return;
  ::kill(pid_, SIGKILL);
  wait(3s);
}

void Process::signal(int number) const { ::kill(pid_, number); }

void Process::send(const std::string& line) const {
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t n = ::write(in_.get(), text.data(), text.size());
}

std::string Process::read_line() const {
  std::string line;
  char c = 0;
  while (::read(out_.get(), &c, 1) == 1 && c != '\n') line += c;
  return line;
}

std::optional<int> Process::wait(std::chrono::milliseconds limit) {
  eventually(
      [&] {
        int status = 0;
        if (!code_ && ::waitpid(pid_, &status, WNOHANG) == pid_) code_ = exit_code(status);
        return code_.has_value();
      },
      limit);
  return code_;
}

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Output run(const std::vector<std::string>& argv) {
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(out[1], 2);
    const int null = ::open("/dev/null", O_RDONLY);
    child(argv, {}, null, out[1]);
  }
  ::close(out[1]);
  Output output;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(out[0], buffer.data(), buffer.size())) > 0;) {
    output.text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(out[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  output.code = exit_code(status);
  return output;
}

void must_run(const std::vector<std::string>& argv) {
  const Output output = run(argv);
  if (output.code == 0) return;
  std::string command;
  for (const std::string& word : argv) command += word + " ";
  std::fprintf(stderr, "%sfailed (%d):\n%s", command.c_str(), output.code, output.text.c_str());
  std::exit(1);
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

}  // namespace volumeter::test
