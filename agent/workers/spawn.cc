#include "workers/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "workers/protocol.h"
#include "workers/worker_main.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace volumeter {
namespace {

int start(const std::string& exe, std::vector<std::string> arguments,
          const std::vector<UniqueFd>& fds, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (std::size_t i = 0; i < fds.size(); ++i) {
    posix_spawn_file_actions_adddup2(&files, fds[i].get(), kWorkerSocket + static_cast<int>(i));
  }
  for (int fd = 0; fd < kWorkerSocket; ++fd) posix_spawn_file_actions_addclose(&files, fd);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  arguments.insert(arguments.begin(), {"volumeter", kWorkerCommand});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* environment = nullptr;
  const int code = ::posix_spawn(&pid, exe.c_str(), &files, &attributes, argv.data(), &environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return code;
}

}  // namespace

void Child::kill() const { ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0); }

bool Child::reap() const {
  siginfo_t info{};
  const int code = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info,
                            WEXITED | WNOHANG);
  return code == 0 && info.si_pid == pid;
}

Result<Child> spawn_worker(const std::string& exe, const std::vector<std::string>& arguments,
                           const std::vector<int>& fds) {
  // Above the numbers they get, so that none overwrites another.
  const int above = kWorkerSocket + static_cast<int>(fds.size());
  std::vector<UniqueFd> copies;
  for (const int fd : fds) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, above));
    if (!copies.back()) return Error::from_errno("fcntl", errno);
  }
  Child child;
  if (const int code = start(exe, arguments, copies, child.pid); code != 0) {
    return Error::from_errno("start " + exe, code);
  }
  child.pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (child.pidfd) return child;
  const int code = errno;
  ::kill(child.pid, SIGKILL);
  ::waitpid(child.pid, nullptr, 0);
  return Error::from_errno("pidfd_open", code);
}

Result<ConnectedChild> spawn_connected(const std::string& exe,
                                       const std::vector<std::string>& arguments,
                                       const std::vector<int>& more_fds) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error::from_errno("socketpair", errno);
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  std::vector<int> fds = {theirs.get()};
  fds.insert(fds.end(), more_fds.begin(), more_fds.end());
  auto child = spawn_worker(exe, arguments, fds);
  if (!child) return child.error();
  return ConnectedChild{std::move(child).value(), std::move(ours)};
}

}  // namespace volumeter
