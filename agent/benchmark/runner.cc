#include "benchmark/runner.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <random>
#include <utility>

#include "blockio/io_engine.h"
#include "host/clock.h"

namespace volumeter {
namespace {

constexpr std::uint64_t kProgressNs = 250'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

double seconds(const timeval& value) {
  return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_usec) * 1e-6;
}

// One operation that is under way.
struct Slot {
  IoKind kind = IoKind::kRead;
  std::uint64_t due = 0;     // when it should have begun, with a rate; else when it did
  std::uint64_t issued = 0;  // when it was submitted
};

class Run {
 public:
  Run(const JobSpec& spec, const TestFile& file, const JobControl& control,
      std::unique_ptr<IoEngine> engine)
      : spec_(spec),
        fd_(file.fd.get()),
        control_(control),
        engine_(std::move(engine)),
        buffer_(std::size_t{spec.block} * spec.depth),
        slots_(spec.depth),
        blocks_(std::max<std::uint64_t>(1, spec.size / spec.block)) {
    for (unsigned i = 0; i < spec.depth; ++i) free_.push_back(i);
    result_.spec = spec;
    result_.engine = engine_->name();
  }

  JobResult go() {
    start_ = next_due_ = last_progress_ = monotonic_ns();
    counted_from_ = start_ + static_cast<std::uint64_t>(spec_.ramp.count()) * 1'000'000;
    end_ = counted_from_ + static_cast<std::uint64_t>(spec_.runtime.count()) * 1'000'000;
    begin_counting();
    counting_ = spec_.ramp.count() == 0;
    std::uint64_t now = start_;
    while (!over(now)) {
      submit_what_fits(now);
      now = take(engine_->reap(completions_, !waits_for_rate_));
      if (waits_for_rate_) sleep_until_due(now);
      if (now - last_progress_ >= kProgressNs) tell_progress(now);
    }
    const std::uint64_t counted_to = std::min(now, end_);
    while (free_.size() < slots_.size()) take(engine_->reap(completions_, true));
    end_counting(counted_to);
    return std::move(result_);
  }

 private:
  bool over(std::uint64_t now) {
    if (control_.stop != nullptr && control_.stop->load(std::memory_order_relaxed)) {
      result_.interrupted = true;
    }
    return result_.error != 0 || result_.interrupted || now >= end_;
  }

  void begin_counting() {
    ::getrusage(RUSAGE_THREAD, &before_);
    counted_at_ = monotonic_ns();
  }

  void end_counting(std::uint64_t now) {
    rusage after{};
    ::getrusage(RUSAGE_THREAD, &after);
    result_.seconds = static_cast<double>(now - std::min(now, counted_at_)) * 1e-9;
    result_.user_seconds = seconds(after.ru_utime) - seconds(before_.ru_utime);
    result_.system_seconds = seconds(after.ru_stime) - seconds(before_.ru_stime);
    result_.context_switches = static_cast<std::uint64_t>(after.ru_nvcsw + after.ru_nivcsw -
                                                          before_.ru_nvcsw - before_.ru_nivcsw);
    result_.major_faults = static_cast<std::uint64_t>(after.ru_majflt - before_.ru_majflt);
    result_.minor_faults = static_cast<std::uint64_t>(after.ru_minflt - before_.ru_minflt);
  }

  // Returns the time.
  void submit_what_fits(std::uint64_t now) {
    waits_for_rate_ = false;
    while (!free_.empty() && result_.error == 0) {
      if (spec_.rate && !sync_next_ && now < next_due_) {
        waits_for_rate_ = true;
        break;
      }
      // A sync waits for the write before it, and the next write for the sync.
      if (spec_.sync && free_.size() < slots_.size()) break;
      now = submit_one(now);
    }
  }

  std::uint64_t submit_one(std::uint64_t now) {
    const unsigned tag = free_.back();
    Slot& slot = slots_[tag];
    IoRequest request{IoKind::kWrite, 0, spec_.block,
                      buffer_.data() + std::size_t{tag} * spec_.block, tag};
    if (std::exchange(sync_next_, false)) {
      request = {IoKind::kDataSync, 0, 0, nullptr, tag};
    } else {
      request.kind = spec_.reads >= 1 || (spec_.reads > 0 && coin_(random_) < spec_.reads)
                         ? IoKind::kRead
                         : IoKind::kWrite;
      request.offset = next_block() * spec_.block;
    }
    slot.kind = request.kind;
    slot.due = spec_.rate && request.kind != IoKind::kDataSync ? next_due_ : now;
    if (spec_.rate && request.kind != IoKind::kDataSync) {
      next_due_ += static_cast<std::uint64_t>(1e9 / *spec_.rate);
    }
    if (const int error = engine_->submit(fd_, request); error != 0) {
      fail(error, request.kind);
      return now;
    }
    free_.pop_back();
    const std::uint64_t after = engine_->synchronous() ? now : monotonic_ns();
    slot.issued = after;
    if (counting_ && request.kind != IoKind::kDataSync && !engine_->synchronous()) {
      direction(request.kind).submission.add(after - now);
    }
    return after;
  }

  std::uint64_t next_block() {
    if (spec_.random) return pick_(random_) % blocks_;
    return sequence_++ % blocks_;
  }

  std::uint64_t take(std::size_t count) {
    const std::uint64_t now = monotonic_ns();
    if (!counting_ && now >= counted_from_) {
      counting_ = true;
      begin_counting();
    }
    for (std::size_t i = 0; i < count; ++i) {
      const IoCompletion& done = completions_[i];
      const auto tag = static_cast<unsigned>(done.tag);
      free_.push_back(tag);
      finish(slots_[tag], done.result, now);
    }
    return now;
  }

  void finish(const Slot& slot, std::int32_t outcome, std::uint64_t now) {
    if (outcome < 0) return fail(-outcome, slot.kind);
    ++since_progress_;
    if (slot.kind == IoKind::kDataSync) {
      recent_.add(now - slot.issued);
      if (counting_) result_.sync.add(now - slot.issued);
      return;
    }
    sync_next_ = spec_.sync && slot.kind == IoKind::kWrite;
    if (!spec_.sync) recent_.add(now - slot.due);
    // An operation belongs to the time in which it completes; what ends after the end doesn't.
    if (!counting_ || now > end_) return;
    DirectionResult& one = direction(slot.kind);
    one.completion.add(now - slot.issued);
    one.total.add(now - slot.due);
    one.bytes += static_cast<std::uint64_t>(outcome);
    if (!std::cmp_equal(outcome, spec_.block)) ++one.short_operations;
  }

  void fail(int error, IoKind kind) {
    if (result_.error != 0) return;
    result_.error = error;
    result_.failed = kind == IoKind::kRead    ? "read"
                     : kind == IoKind::kWrite ? "write"
                                              : "fdatasync";
  }

  void sleep_until_due(std::uint64_t now) {
    if (free_.size() < slots_.size()) {  // something may come back before that
      const timespec little{0, 20'000};
      ::nanosleep(&little, nullptr);
      return;
    }
    const std::uint64_t until = std::min({next_due_, end_, now + kProgressNs});
    const timespec when{static_cast<time_t>(until / kSecond), static_cast<long>(until % kSecond)};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
  }

  void tell_progress(std::uint64_t now) {
    if (control_.progress) {
      JobProgress progress;
      progress.share =
          std::min(1.0, static_cast<double>(now - start_) / static_cast<double>(end_ - start_));
      progress.operations_per_second =
          static_cast<double>(since_progress_) * 1e9 / static_cast<double>(now - last_progress_);
      progress.p99_ns = recent_.percentile(99);
      control_.progress(progress);
    }
    recent_.clear();
    since_progress_ = 0;
    last_progress_ = now;
  }

  DirectionResult& direction(IoKind kind) {
    return kind == IoKind::kRead ? result_.read : result_.write;
  }

  const JobSpec& spec_;
  const int fd_;
  const JobControl& control_;
  const std::unique_ptr<IoEngine> engine_;
  const DirectBuffer buffer_;
  std::vector<Slot> slots_;
  std::vector<unsigned> free_;
  const std::uint64_t blocks_;
  JobResult result_;
  // One at a time, as fio does by default (iodepth_batch_complete_max): what has come back
  // meanwhile waits its turn, as it would in a program that handles each.
  std::array<IoCompletion, 1> completions_{};
  std::mt19937_64 random_{std::random_device{}()};
  std::uniform_real_distribution<double> coin_{0, 1};
  std::uniform_int_distribution<std::uint64_t> pick_;
  std::uint64_t sequence_ = 0;
  bool sync_next_ = false;
  bool waits_for_rate_ = false;
  bool counting_ = false;
  std::uint64_t start_ = 0;
  std::uint64_t counted_from_ = 0;
  std::uint64_t counted_at_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t next_due_ = 0;
  rusage before_{};
  LatencyCounts recent_;  // since the last progress
  std::uint64_t since_progress_ = 0;
  std::uint64_t last_progress_ = 0;
};

}  // namespace

JobResult run_job(const JobSpec& spec, const TestFile& file, const JobControl& control) {
  auto engine = spec.plain ? Result<std::unique_ptr<IoEngine>>(make_sync_engine())
                           : make_io_engine(spec.depth);
  if (!engine) {
    JobResult result;
    result.spec = spec;
    result.error = engine.error().code;
    result.failed = "no I/O engine";
    return result;
  }
  return Run(spec, file, control, std::move(engine).value()).go();
}

}  // namespace volumeter
