#include "workers/worker_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "host/host.h"

namespace volumeter {
namespace {

// Linux 6.3 wants to be told that a memfd will never be executed; older kernels don't know the
// flag.
int make_memory() {
  constexpr unsigned kNoexecSeal = 8;
  const int fd = ::memfd_create("volumeter-replies", MFD_CLOEXEC | kNoexecSeal);
  return fd >= 0 ? fd : ::memfd_create("volumeter-replies", MFD_CLOEXEC);
}

}  // namespace

std::string_view to_string(WorkerProfile profile) {
  switch (profile) {
    case WorkerProfile::kListing:
      return "listing";
    case WorkerProfile::kProbing:
      return "probing";
    case WorkerProfile::kMetadata:
    case WorkerProfile::kTracing:
    case WorkerProfile::kProcess:
      break;
  }
  return "metadata";
}

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
  const UniqueFd theirs(ends[1]);
  const UniqueFd memory(make_memory());
  if (!memory || ::ftruncate(memory.get(), sizeof(ReplyRing)) != 0) {
    return Error::from_errno("memfd_create", errno);
  }
  void* page =
      ::mmap(nullptr, sizeof(ReplyRing), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (page == MAP_FAILED) return Error::from_errno("mmap", errno);
  auto* replies = static_cast<ReplyRing*>(page);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  const std::string profile(to_string(program.profile));
  auto child = spawn_worker(program.exe, {profile, program.rootfs}, {theirs.get(), memory.get()});
  if (!child) {
    ::munmap(page, sizeof(ReplyRing));
    return child.error();
  }
  return std::unique_ptr<WorkerProcess>(
      new WorkerProcess(std::move(child).value(), std::move(ours), replies));
}

WorkerProcess::WorkerProcess(Child child, UniqueFd socket, ReplyRing* replies)
    : child_(std::move(child)), socket_(std::move(socket)), replies_(replies) {}

WorkerProcess::~WorkerProcess() {
  if (!reaped_) {
    kill();
    reap();
  }
  ::munmap(replies_, sizeof(ReplyRing));
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
  child_.kill();
}

bool WorkerProcess::reap() {
  reaped_ = reaped_ || child_.reap();
  return reaped_;
}

}  // namespace volumeter
