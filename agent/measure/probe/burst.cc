#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <random>
#include <vector>

#include "blockio/latency_counts.h"
#include "measure/probe/probe_worker.h"
#include "workers/worker_main.h"

namespace volumeter::probe {
namespace {

// Each part's end, from the file's opening; what is under way then still has to come back.
constexpr std::uint64_t kLayoutEnd = kBurstNs * 4 / 10;
constexpr std::uint64_t kReadsEnd = kBurstNs * 65 / 100;
constexpr std::uint64_t kWritesEnd = kBurstNs * 9 / 10;
constexpr std::uint32_t kLeastOperations = 2 * kBurstDepth;  // fewer say nothing of this depth

class Burst {
 public:
  int on_file(int directory, ProbeWay way) {
    begin_ = monotonic_ns();
    const std::uint64_t waited = cpu_wait_ns();
    const TestFile file = make_file(directory, way);
    if (!file.fd) return file.error;
    fd_ = file.fd.get();
    if (direct_alignment(fd_).offset > kBurstBlock) return EINVAL;
    if (const int error = lay_out(); error != 0) return error;
    if (answer.flaw != ProbeFlaw::kNone) return 0;
    if (const int error = part(IoKind::kRead, kReadsEnd, answer.read, answer.reads); error != 0) {
      return error;
    }
    if (const int error = part(IoKind::kWrite, kWritesEnd, answer.write, answer.writes);
        error != 0) {
      return error;
    }
    if (answer.flaw != ProbeFlaw::kNone) return 0;
    if (waited_too_long(cpu_wait_ns() - waited, monotonic_ns() - begin_))
      answer.flaw = ProbeFlaw::kCpu;
    if (went_through_cache(fd_)) answer.flaw = ProbeFlaw::kCached;
    return 0;
  }

  BurstAnswer answer;

 private:
  // Blocks that were never written would be read without any I/O.
  int lay_out() {
    std::vector<std::uint64_t> offsets(kBurstFile / kBurstLayoutBlock);
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = i * kBurstLayoutBlock;
    LatencyCounts ignored;
    const std::uint32_t done =
        run_all(IoKind::kWrite, offsets, kBurstLayoutBlock, kLayoutEnd, ignored);
    if (error_ != 0 || answer.flaw != ProbeFlaw::kNone) return error_;
    if (done < offsets.size() || monotonic_ns() - begin_ > kLayoutEnd) {
      answer.flaw = ProbeFlaw::kSlow;
      return 0;
    }
    // Commits what was allocated now rather than in the middle; no sync that somebody would count
    // as the workload's.
    const IoRequest last{IoKind::kDurableWrite, 0, kBurstBlock, buffers().data(), 0};
    if (const int error = run(fd_, last); error != 0) return error;
    if (monotonic_ns() - begin_ > kLayoutEnd) answer.flaw = ProbeFlaw::kSlow;
    return 0;
  }

  int part(IoKind kind, std::uint64_t end, BurstAnswer::Part& out, std::uint32_t& operations) {
    if (answer.flaw != ProbeFlaw::kNone) return 0;
    static std::minstd_rand random{static_cast<unsigned>(begin_)};
    std::vector<std::uint64_t> offsets(kBurstFile / kBurstBlock);
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = i * kBurstBlock;
    std::shuffle(offsets.begin(), offsets.end(), random);
    offsets.resize(kBurstOperations);
    LatencyCounts latencies;
    const std::uint64_t from = monotonic_ns();
    const std::uint32_t done = run_all(kind, offsets, kBurstBlock, end, latencies);
    if (error_ != 0 || answer.flaw != ProbeFlaw::kNone) return error_;
    if (done < kLeastOperations) {
      answer.flaw = ProbeFlaw::kSlow;
      return 0;
    }
    operations = done;
    out = {monotonic_ns() - from, latencies.percentile(50), latencies.percentile(99)};
    return 0;
  }

  // At full depth until all are done, or it is time to end. Returns how many came back; what was
  // submitted always comes back first.
  std::uint32_t run_all(IoKind kind, const std::vector<std::uint64_t>& offsets,
                        std::uint32_t length, std::uint64_t end, LatencyCounts& latencies) {
    IoEngine& engine = *worker().engine;
    std::array<std::uint64_t, kBurstDepth> submitted{};
    std::array<std::uint64_t, kBurstDepth> free_tags{};
    std::iota(free_tags.begin(), free_tags.end(), 0);
    std::size_t free_count = kBurstDepth;
    std::size_t next = 0;
    std::uint32_t done = 0;
    std::array<IoCompletion, kBurstDepth> completions{};
    while (true) {
      if (asked_to_stop()) answer.flaw = ProbeFlaw::kStopped;
      const bool over = answer.flaw != ProbeFlaw::kNone || error_ != 0 || next == offsets.size() ||
                        monotonic_ns() - begin_ > end;
      if (over && free_count == kBurstDepth) return done;
      while (!over && free_count > 0 && next < offsets.size()) {
        const std::uint64_t tag = free_tags[--free_count];
        submitted[tag] = monotonic_ns();
        std::byte* buffer = buffers().data() + tag * kBurstLayoutBlock;
        error_ = engine.submit(fd_, {kind, offsets[next++], length, buffer, tag});
        if (error_ == 0) continue;
        free_tags[free_count++] = tag;
        break;
      }
      const std::size_t count = engine.reap(completions, true);
      const std::uint64_t now = monotonic_ns();
      for (std::size_t i = 0; i < count; ++i) {
        const auto [tag, result] = completions[i];
        free_tags[free_count++] = tag;
        if (!std::cmp_equal(result, length)) error_ = result < 0 ? -result : EIO;
        latencies.add(now - submitted[tag]);
        ++done;
      }
      note_progress(total_ += count);
    }
  }

  static DirectBuffer& buffers() {
    static DirectBuffer all(std::size_t{kBurstDepth} * kBurstLayoutBlock);
    return all;
  }

  int fd_ = -1;
  int error_ = 0;
  std::uint64_t begin_ = 0;
  std::uint64_t total_ = 0;  // completions of all parts
};

}  // namespace

int burst(int fd, std::uint64_t argument, SampleAnswer& answer) {
  Burst burst;
  const int error = burst.on_file(fd, static_cast<ProbeWay>(argument));
  answer.store(burst.answer);
  return error;
}

}  // namespace volumeter::probe
