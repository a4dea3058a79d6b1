#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "benchmark/caveats.h"
#include "benchmark/progress_bar.h"
#include "benchmark/report.h"
#include "benchmark/runner.h"
#include "benchmark/target.h"
#include "cli/commands.h"
#include "cli/stop_signal.h"

namespace volumeter {
namespace {

constexpr std::uint64_t kMostBlock = 256 << 20;  // bytes

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "volumeter bench: %s\n", message.c_str());
  return code;
}

// The profiles asked for, as the options have them. An error where one can't run on this target.
Result<std::vector<JobSpec>> jobs_of(const BenchOptions& options, const BenchTarget& target) {
  const std::vector<JobSpec> all = all_profiles();
  std::vector<JobSpec> jobs;
  for (const std::string& name : options.profiles) {
    if (name == "all") {
      std::copy_if(all.begin(), all.end(), std::back_inserter(jobs),
                   [&](const JobSpec& spec) { return !target.device || !spec.writes(); });
    } else {
      jobs.push_back(*find_profile(all, name));
    }
  }
  for (JobSpec& job : jobs) {
    if (target.device && job.writes()) {
      return Error{target.path + " is a block device, and " + job.name +
                       " writes: raw devices are only read (randread, seqread)",
                   0};
    }
    if (options.block_size > kMostBlock) return Error{"--block-size must be 256M or less", 0};
    if (options.block_size) job.block = static_cast<std::uint32_t>(*options.block_size);
    if (options.depth && !job.sync) job.depth = *options.depth;
    job.runtime = options.runtime;
    job.ramp = options.ramp;
    job.rate = options.rate;
  }
  return jobs;
}

class Bench {
 public:
  Bench(const BenchTarget& target, std::uint64_t size) : target_(target), size_(size) {}

  Status run(std::vector<JobSpec>& jobs) {
    TestFile file;
    for (JobSpec& job : jobs) {
      job.size = size_;
      // One file's room is what was asked for: the other is let go of first.
      if (job.extends) let_go(file);
      if (!file.fd) {
        if (Status made = make(file, job); !made) return made;
      }
      run_one(job, file);
      if (job.extends) file.fd.reset();
      if (stop_requested()) return Error{"interrupted", ECANCELED};
    }
    let_go(file);
    return Done{};
  }

  std::vector<JobResult> results;
  std::vector<std::string> caveats;

 private:
  Status make(TestFile& file, const JobSpec& job) {
    file = target_.device ? target_.open_device() : target_.make_file(job.direct);
    if (!file.fd) return Error::from_errno(target_.path + ": the test's file", file.error);
    if (target_.device || job.extends) return Done{};
    return lay_out(file, size_, [&](std::uint64_t done) {
      bar_.show("laying out", static_cast<double>(done) / static_cast<double>(size_),
                std::to_string(done >> 20U) + " MiB");
      return !stop_requested();
    });
  }

  // Says what can't be vouched for of what was done with it.
  void let_go(TestFile& file) {
    if (!file.fd) return;
    const auto more = caveats_of(target_, file, size_);
    caveats.insert(caveats.end(), more.begin(), more.end());
    if (std::string cached = cache_caveat(target_, file); !cached.empty()) {
      caveats.push_back(std::move(cached));
    }
    file.fd.reset();
  }

  void run_one(const JobSpec& job, const TestFile& file) {
    JobControl control;
    control.stop = &stop_flag();
    control.progress = [&](const JobProgress& progress) {
      bar_.show(job.name, progress.share,
                short_count(progress.operations_per_second) + " IOPS, p99 " +
                    short_time(static_cast<double>(progress.p99_ns)));
    };
    results.push_back(run_job(job, file, control));
    bar_.clear();
  }

  const BenchTarget& target_;
  const std::uint64_t size_;
  ProgressBar bar_;
};

Status check_block(const JobSpec& job, const BenchTarget& target, std::uint64_t size) {
  constexpr std::uint64_t kMostMemory = 256 << 20;  // bytes, of all operations under way
  if (std::uint64_t{job.block} * job.depth > kMostMemory) {
    return Error{"--block-size times --depth is more than 256 MiB for " + job.name, 0};
  }
  if (job.block > size) return Error{"--block-size is more than --size", 0};
  if (job.direct && job.block % 512 != 0) {
    return Error{"--block-size must be a multiple of 512 for " + job.name + ", which is O_DIRECT",
                 0};
  }
  if (target.device && size > target.size) {
    return Error{"--size is more than the device has: " + std::to_string(target.size), 0};
  }
  return Done{};
}

}  // namespace

int run_bench(const BenchOptions& options, bool json) {
  auto target = open_bench_target(options.path);
  if (!target) return complain(target.error().message, 2);
  auto jobs = jobs_of(options, *target);
  if (!jobs) return complain(jobs.error().message, 2);
  const std::uint64_t size = options.size.value_or(default_size(*target));
  if (!target->device) {
    if (const Status room = check_room(*target, size); !room) {
      return complain(room.error().message, 2);
    }
  }
  for (const JobSpec& job : *jobs) {
    if (const Status fits = check_block(job, *target, size); !fits) {
      return complain(fits.error().message, 2);
    }
  }
  audit_writes(*target, "bench", size);
  stop_on_signals();
  Bench bench(*target, size);
  bench.caveats = caveats_of(*target);
  const Status done = bench.run(*jobs);
  if (!done && done.error().code == ECANCELED) return complain("interrupted", 130);
  if (!done) return complain(done.error().message, 1);
  const std::string text = json ? to_fio_json(*target, bench.results, bench.caveats)
                                : to_bench_table(*target, bench.results, bench.caveats);
  std::fputs(text.c_str(), stdout);
  const bool good = std::all_of(bench.results.begin(), bench.results.end(),
                                [](const JobResult& result) { return result.error == 0; });
  return std::fflush(stdout) == 0 && good ? 0 : 1;
}

}  // namespace volumeter
