#include "measure/health/kernel_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "host/block_devices.h"
#include "host/pod_cgroups.h"

namespace volumeter {
namespace {

// Ten thousand lines a second come in fifty batches, rather than wake the thread for each.
constexpr int kPauseMilliseconds = 20;
constexpr int kMostAtATime = 100000;  // then it looks whether it shall end
// The longest record (kernel/printk/internal.h, PRINTK_MESSAGE_MAX, with its prefix).
constexpr std::size_t kLongestRecord = 8192;
constexpr unsigned kMemoryMajor = 1;  // Documentation/admin-guide/devices.txt
constexpr unsigned kKmsgMinor = 11;

UniqueFd open_kmsg(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  struct stat st {};
  if (!fd) return fd;
  const bool is_kmsg = ::fstat(fd.get(), &st) == 0 && S_ISCHR(st.st_mode) &&
                       st.st_rdev == makedev(kMemoryMajor, kKmsgMinor);
  if (!is_kmsg) {
    fd.reset();
    errno = ENODEV;
  }
  return fd;
}

void add(std::map<std::string, KernelLogCounts::Source>& sources, const std::string& name,
         KernelMessageKind kind) {
  if (name.empty()) return;
  if (sources.size() >= kMostSources && !sources.contains(name)) {
    sources.erase(std::min_element(
        sources.begin(), sources.end(),
        [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
  }
  KernelLogCounts::Source& source = sources[name];
  ++source.counts[static_cast<std::size_t>(kind)];
  source.last = std::chrono::system_clock::now();
}

}  // namespace

Status KernelLog::open() {
  log_ = open_kmsg(under_rootfs(host_, "/dev/kmsg"));
  if (!log_ && host_.rootfs != "/") log_ = open_kmsg("/dev/kmsg");
  if (!log_) return Error::from_errno("open /dev/kmsg", errno);
  // What happened before is nobody's: devices may have been others' then.
  ::lseek(log_.get(), 0, SEEK_END);
  return Done{};
}

void KernelLog::start() {
  if (!log_ || thread_.joinable()) return;
  stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { follow(); });
}

KernelLog::~KernelLog() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

std::optional<KernelLogCounts> KernelLog::counts() const {
  if (!thread_.joinable()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return counts_;
}

void KernelLog::follow() {
  while (true) {
    std::array<pollfd, 2> fds = {pollfd{stop_.get(), POLLIN, 0}, pollfd{log_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    drain();
    if (::poll(fds.data(), 1, kPauseMilliseconds) > 0) return;
  }
}

void KernelLog::drain() {
  std::array<char, kLongestRecord> buffer{};
  for (int i = 0; i < kMostAtATime; ++i) {
    const ssize_t size = ::read(log_.get(), buffer.data(), buffer.size());
    if (size > 0) take({buffer.data(), static_cast<std::size_t>(size)});
    // EPIPE: overwritten; the next one's number tells how many. EINVAL: too long, and skipped.
    const bool go_on =
        size > 0 || (size < 0 && (errno == EINTR || errno == EPIPE || errno == EINVAL));
    if (!go_on) return;
  }
}

void KernelLog::take(std::string_view text) {
  const auto record = parse_kmsg_record(text);
  if (!record) return;
  if (next_sequence_ && record->sequence > *next_sequence_) {
    const std::lock_guard lock(mutex_);
    counts_.lost += record->sequence - *next_sequence_;
  }
  next_sequence_ = record->sequence + 1;
  if (const std::string device = mounted_ext4(*record); !device.empty()) {
    const std::lock_guard lock(mutex_);
    counts_.read_only.erase(device);
  }
  if (const auto message = parser_.next(*record)) count(*message);
}

void KernelLog::count(const KernelMessage& message) {
  const std::string pod = message.task ? pod_of(*message.task) : std::string();
  const std::lock_guard lock(mutex_);
  ++counts_.all[static_cast<std::size_t>(message.kind)];
  if (message.kind == KernelMessageKind::kFilesystemReadOnly &&
      counts_.read_only.size() < kMostSources) {
    counts_.read_only.insert(message.device);
  }
  add(counts_.devices, message.device, message.kind);
  add(counts_.servers, message.server, message.kind);
  add(counts_.pods, pod, message.kind);
}

std::string KernelLog::pod_of(pid_t task) const {
  const auto text = read_file(host_.procfs + "/" + std::to_string(task) + "/cgroup");
  if (!text) return {};
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view path = next_line(rest);
    while (!path.empty()) {
      const auto slash = path.find('/');
      if (std::string uid = pod_uid_of_cgroup(path.substr(0, slash)); !uid.empty()) return uid;
      if (slash == std::string_view::npos) break;
      path.remove_prefix(slash + 1);
    }
  }
  return {};
}

}  // namespace volumeter
