#include "workers/worker_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>
#include <utility>

#include "host/host.h"
#include "workers/worker_main.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace volumeter {
namespace {

int start(const WorkerProgram& program, int socket, int replies, pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  // Both come in above the numbers they get, so neither overwrites the other.
  posix_spawn_file_actions_adddup2(&files, socket, kWorkerSocket);
  posix_spawn_file_actions_adddup2(&files, replies, kWorkerReplies);
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

  std::string name = "volumeter";
  std::string command = kWorkerCommand;
  std::string profile = program.profile == WorkerProfile::kListing ? "listing" : "metadata";
  std::string root = program.rootfs;
  const std::array<char*, 5> argv = {name.data(), command.data(), profile.data(), root.data(),
                                     nullptr};
  const std::array<char*, 1> environment = {nullptr};
  const int code = ::posix_spawn(&pid, program.exe.c_str(), &files, &attributes, argv.data(),
                                 environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return code;
}

// Takes `fd` and gives one that is larger than those a worker has.
int above_worker_fds(int fd) {
  if (fd < 0 || fd > kWorkerReplies) return fd;
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, kWorkerReplies + 1);
  ::close(fd);
  return higher;
}

// Linux 6.3 wants to be told that a memfd will never be executed; older kernels don't know the
// flag.
int make_memory() {
  constexpr unsigned kNoexecSeal = 8;
  const int fd = ::memfd_create("volumeter-replies", MFD_CLOEXEC | kNoexecSeal);
  return fd >= 0 ? fd : ::memfd_create("volumeter-replies", MFD_CLOEXEC);
}

}  // namespace

std::optional<SleepState> parse_sleep_state(const std::string& status) {
  std::istringstream lines(status);
  SleepState state;
  bool found = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("State:\t") && line.size() > 7) {
      found = true;
      state.asleep = line[7] == 'S' || line[7] == 'D';
    } else if (line.starts_with("voluntary_ctxt_switches:\t")) {
      state.switches = std::strtoull(line.c_str() + line.find('\t') + 1, nullptr, 10);
    }
  }
  return found ? std::optional(state) : std::nullopt;
}

std::optional<SleepState> read_sleep_state(pid_t pid) {
  // The daemon's own /proc: `pid` is a number of its own pid namespace.
  auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  return status ? parse_sleep_state(*status) : std::nullopt;
}

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::spawn(const WorkerProgram& program) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error::from_errno("socketpair", errno);
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(above_worker_fds(ends[1]));
  const UniqueFd memory(above_worker_fds(make_memory()));
  if (!theirs || !memory || ::ftruncate(memory.get(), sizeof(ReplyRing)) != 0) {
    return Error::from_errno("memfd_create", errno);
  }
  void* page = ::mmap(nullptr, sizeof(ReplyRing), PROT_READ, MAP_SHARED, memory.get(), 0);
  if (page == MAP_FAILED) return Error::from_errno("mmap", errno);
  const auto* replies = static_cast<const ReplyRing*>(page);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  pid_t pid = 0;
  if (const int code = start(program, theirs.get(), memory.get(), pid); code != 0) {
    ::munmap(page, sizeof(ReplyRing));
    return Error::from_errno("start " + program.exe, code);
  }
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int code = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ::munmap(page, sizeof(ReplyRing));
    return Error::from_errno("pidfd_open", code);
  }
  return std::unique_ptr<WorkerProcess>(
      new WorkerProcess(pid, std::move(pidfd), std::move(ours), replies));
}

WorkerProcess::WorkerProcess(pid_t pid, UniqueFd pidfd, UniqueFd socket, const ReplyRing* replies)
    : pid_(pid), pidfd_(std::move(pidfd)), socket_(std::move(socket)), replies_(replies) {}

WorkerProcess::~WorkerProcess() {
  if (!reaped_) {
    kill();
    reap();
  }
  ::munmap(const_cast<ReplyRing*>(replies_), sizeof(ReplyRing));
}

void WorkerProcess::queue(WorkerRequest request, const Target& target) {
  request.path_length = static_cast<std::uint32_t>(target.path.size());
  request.below_length = static_cast<std::uint32_t>(target.below.size());
  std::size_t at = message_.size();
  message_.resize(at + request.size());
  std::memcpy(&message_[at], &request, sizeof request);
  at += sizeof request;
  std::memcpy(&message_[at], target.path.data(), target.path.size());
  at += target.path.size() + 1;
  std::copy(target.below.begin(), target.below.end(),
            reinterpret_cast<char*>(message_.data()) + at);
}

bool WorkerProcess::flush() {
  if (message_.empty()) return true;
  const ssize_t n = ::send(socket_.get(), message_.data(), message_.size(), MSG_NOSIGNAL);
  if (n < 0) return false;
  message_.clear();
  ++messages_;
  return true;
}

bool WorkerProcess::unread_requests() const {
  return messages_ > replies_->received.load(std::memory_order_acquire);
}

bool WorkerProcess::ready() const { return replies_->ready.load(std::memory_order_acquire) != 0; }

std::optional<WorkerReply> WorkerProcess::receive() {
  const std::uint64_t unread = replies_->count.load(std::memory_order_acquire) - received_;
  if (unread > kReplySlots) kill();
  if (unread == 0 || unread > kReplySlots) return std::nullopt;
  return replies_->slots[received_++ % kReplySlots];
}

void WorkerProcess::kill() {
  if (!killed) killed_at = Clock::now();
  killed = true;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

bool WorkerProcess::reap() {
  if (reaped_) return true;
  siginfo_t info{};
  const int code = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info,
                            WEXITED | WNOHANG);
  reaped_ = code == 0 && info.si_pid == pid_;
  return reaped_;
}

}  // namespace volumeter
