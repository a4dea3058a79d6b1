#include "benchmark/workload_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <random>
#include <utility>

namespace volumeter {
namespace {

using Clock = std::chrono::steady_clock;

bool write_at(int fd, const DirectBuffer& buffer, std::size_t length, std::uint64_t offset) {
  errno = 0;
  const ssize_t n = ::pwrite(fd, buffer.data(), length, static_cast<off_t>(offset));
  if (std::cmp_equal(n, length)) return true;
  if (n >= 0) errno = ENOSPC;
  return false;
}

// One sync, or a few that count as one, with the writes before them; timed is what the workload
// waits for. False: errno says why.
struct Step {
  virtual ~Step() = default;
  virtual bool prepare(int fd) = 0;
  virtual bool before(int fd) = 0;  // not timed
  virtual bool timed(int fd) { return ::fdatasync(fd) == 0; }
};

constexpr std::uint64_t kFile = kWorkloadRoom;

bool allocate(int fd) {
  errno = ::posix_fallocate(fd, 0, kFile);
  return errno == 0;
}

// etcd: server/storage/wal: segments are allocated in advance and written in order.
struct EtcdWal : Step {
  bool prepare(int fd) override { return allocate(fd); }
  bool before(int fd) override {
    constexpr std::size_t kEntry = 2300;
    at = at + kEntry > kFile ? 0 : at;
    return write_at(fd, entry, kEntry, std::exchange(at, at + kEntry));
  }
  DirectBuffer entry{4096};
  std::uint64_t at = 0;
};

// bbolt: tx.go, Commit: dirty pages, a sync, the meta page, a sync; all of it is the commit.
struct EtcdBackend : Step {
  bool prepare(int fd) override { return allocate(fd) && ::fdatasync(fd) == 0; }
  bool before(int /*fd*/) override { return true; }
  bool timed(int fd) override {
    constexpr int kDirtyPages = 8;
    for (int i = 0; i < kDirtyPages; ++i) {
      if (!write_at(fd, page, 4096, 4096 * (2 + random() % (kFile / 4096 - 2)))) return false;
    }
    return ::fdatasync(fd) == 0 && write_at(fd, page, 4096, 0) && ::fdatasync(fd) == 0;
  }
  DirectBuffer page{4096};
  std::minstd_rand random{std::random_device{}()};
};

// PostgreSQL: src/backend/access/transam/xlog.c: segments of 16 MiB filled with zeros, then pages
// of 8 KiB in order.
struct PostgresWal : Step {
  static constexpr std::uint64_t kSegment = 16 << 20;
  bool prepare(int fd) override {
    for (std::uint64_t i = 0; i < kSegment; i += 1 << 20) {
      if (!write_at(fd, zeros, 1 << 20, i)) return false;
    }
    return ::fdatasync(fd) == 0;
  }
  bool before(int fd) override {
    return write_at(fd, page, 8192, std::exchange(at, (at + 8192) % kSegment));
  }
  DirectBuffer zeros{1 << 20};
  DirectBuffer page{8192};
  std::uint64_t at = 0;
};

// Redis: src/aof.c: what was appended in a second, then a sync. The second itself is left out.
struct RedisAof : Step {
  bool prepare(int /*fd*/) override { return true; }
  bool before(int fd) override {
    if (at + (1 << 20) > kFile) {
      at = 0;
      if (::ftruncate(fd, 0) != 0) return false;
    }
    return write_at(fd, second, 1 << 20, std::exchange(at, at + (1 << 20)));
  }
  DirectBuffer second{1 << 20};
  std::uint64_t at = 0;
};

std::unique_ptr<Step> step_of(const WorkloadRule& rule) {
  if (rule.workload == "redis") return std::make_unique<RedisAof>();
  if (rule.workload == "postgresql") return std::make_unique<PostgresWal>();
  if (rule.what == "backend commit") return std::make_unique<EtcdBackend>();
  return std::make_unique<EtcdWal>();
}

int run_step(Step& step, int fd, const WorkloadControl& control, WorkloadSample& sample) {
  constexpr std::uint64_t kEnough = 10'000;
  if (!step.prepare(fd)) return errno != 0 ? errno : EIO;
  const auto start = Clock::now();
  const auto end = start + control.runtime;
  for (auto now = start; now < end && sample.syncs.count() < kEnough;) {
    if (control.stop != nullptr && control.stop->load()) return ECANCELED;
    if (!step.before(fd)) return errno;
    const auto from = Clock::now();
    if (!step.timed(fd)) return errno;
    now = Clock::now();
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(now - from);
    sample.syncs.add(static_cast<std::uint64_t>(took.count()));
    if (control.progress && sample.syncs.count() % 64 == 0) {
      control.progress(sample, std::chrono::duration<double>(now - start) / control.runtime);
    }
  }
  return 0;
}

}  // namespace

std::vector<WorkloadSample> run_workload(std::string_view workload, const BenchTarget& target,
                                         const WorkloadControl& control) {
  std::vector<WorkloadSample> samples;
  for (const WorkloadRule& rule : workload_rules()) {
    if (rule.workload != workload) continue;
    WorkloadSample& sample = samples.emplace_back();
    sample.rule = &rule;
    const TestFile file = target.make_file(false);
    sample.error = file.error;
    if (!file.fd) continue;
    const auto step = step_of(rule);
    sample.error = run_step(*step, file.fd.get(), control, sample);
  }
  return samples;
}

}  // namespace volumeter
