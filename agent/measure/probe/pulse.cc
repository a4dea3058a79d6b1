#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "measure/probe/probe_worker.h"
#include "workers/worker_main.h"

namespace volumeter::probe {
namespace {

constexpr std::uint32_t kBlock = 4096;  // bytes

// Whether what is left to those who aren't root is enough: the last bytes aren't ours. A filesystem
// that has no size has no end.
bool has_room(int directory) {
  struct statfs fs {};
  if (::fstatfs(directory, &fs) != 0 || fs.f_blocks == 0) return true;
  return static_cast<std::uint64_t>(fs.f_bavail) * static_cast<std::uint64_t>(fs.f_bsize) >=
         kPulseLeastRoom;
}

class Pulse {
 public:
  int on_file(int directory, ProbeWay way) {
    enter(PulseStage::kOpening);
    if (!has_room(directory)) return ENOSPC;  // the agent may not have measured it yet
    const std::uint64_t begin = monotonic_ns();
    const TestFile file = make_file(directory, way);
    if (!file.fd) return file.error;
    const std::uint32_t length = std::max(kBlock, direct_alignment(file.fd.get()).offset);
    if (length > kPulseMostBlock) return EINVAL;
    enter(PulseStage::kFirstWrite);
    IoRequest request{IoKind::kDurableWrite, 0, length, written().data(), 0};
    if (const int error = run(file.fd.get(), request); error != 0) return error;
    const std::uint64_t first = monotonic_ns();
    answer.first_write_ns = first - begin;
    const std::uint64_t waited = cpu_wait_ns();
    enter(PulseStage::kOverwrite);
    written().data()[0] ^= std::byte{1};  // not what is there already
    if (const int error = run(file.fd.get(), request); error != 0) return error;
    const std::uint64_t second = monotonic_ns();
    answer.overwrite_ns = second - first;
    enter(PulseStage::kReading);
    request.kind = IoKind::kRead;
    request.buffer = read().data();
    if (const int error = run(file.fd.get(), request); error != 0) return error;
    const std::uint64_t third = monotonic_ns();
    answer.read_ns = third - second;
    enter(PulseStage::kDone);
    if (waited_too_long(cpu_wait_ns() - waited, third - first)) answer.flaw = ProbeFlaw::kCpu;
    if (went_through_cache(file.fd.get())) answer.flaw = ProbeFlaw::kCached;
    if (std::memcmp(written().data(), read().data(), length) != 0) {
      answer.flaw = ProbeFlaw::kMismatch;
    }
    return 0;
  }

  int on_device(int fd) {
    enter(PulseStage::kReading);
    const UniqueFd device = reopen(fd);
    if (!device) return errno;
    std::uint64_t size = 0;
    if (::ioctl(device.get(), BLKGETSIZE64, &size) != 0) return errno;
    if (size < kBlock) return EINVAL;
    static std::minstd_rand random{static_cast<unsigned>(monotonic_ns())};
    const std::uint64_t block =
        std::uniform_int_distribution<std::uint64_t>(0, size / kBlock - 1)(random);
    const std::uint64_t waited = cpu_wait_ns();
    const std::uint64_t begin = monotonic_ns();
    const IoRequest request{IoKind::kRead, block * kBlock, kBlock, read().data(), 0};
    const int error = run(device.get(), request);
    std::memset(read().data(), 0, kBlock);  // nobody's business
    if (error != 0) return error;
    answer.read_ns = monotonic_ns() - begin;
    enter(PulseStage::kDone);
    if (waited_too_long(cpu_wait_ns() - waited, answer.read_ns)) answer.flaw = ProbeFlaw::kCpu;
    return 0;
  }

  PulseAnswer answer;

 private:
  void enter(PulseStage stage) {
    answer.stage = stage;
    note_progress(static_cast<std::uint64_t>(stage));
  }

  static UniqueFd reopen(int fd) {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    return UniqueFd(::openat(AT_FDCWD, path.data(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  }

  static DirectBuffer& written() {
    static DirectBuffer buffer(kPulseMostBlock);
    return buffer;
  }
  static DirectBuffer& read() {
    static DirectBuffer buffer(kPulseMostBlock);
    return buffer;
  }
};

}  // namespace

int pulse(int fd, std::uint64_t argument, SampleAnswer& answer) {
  Pulse pulse;
  const auto way = static_cast<ProbeWay>(argument);
  const int error = way == ProbeWay::kDevice ? pulse.on_device(fd) : pulse.on_file(fd, way);
  answer.store(pulse.answer);
  return error;
}

}  // namespace volumeter::probe
