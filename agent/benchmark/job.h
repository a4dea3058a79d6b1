// One benchmark: what it does, and what came out. The words are fio's, and so is the meaning of
// each figure, so that numbers can be held against each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "blockio/latency_counts.h"

namespace volumeter {

struct JobSpec {
  std::string name;  // the profile's
  bool random = false;
  double reads = 0;      // share of operations, 0 to 1
  bool sync = false;     // fdatasync after each write
  bool direct = true;    // past the page cache
  bool extends = false;  // writes make the file longer, as a log does; it isn't laid out before
  bool plain = false;    // pwrite and fdatasync, one after the other, whatever engine there is
  std::uint32_t block = 4096;  // bytes
  unsigned depth = 1;          // operations under way
  std::chrono::milliseconds runtime{10000};
  std::chrono::milliseconds ramp{2000};  // before that, which isn't counted
  std::uint64_t size = 0;                // bytes of the file or device that are used
  std::optional<double> rate;            // operations a second, at most

  [[nodiscard]] bool writes() const { return reads < 1; }
};

// The profiles in the order in which `all` runs them; null for an unknown name.
std::vector<JobSpec> all_profiles();
const JobSpec* find_profile(const std::vector<JobSpec>& profiles, const std::string& name);

// Of reads, or of writes. Nanoseconds.
struct DirectionResult {
  LatencyCounts submission;  // fio's slat; empty where submitting is the whole operation
  LatencyCounts completion;  // clat: from the end of the submission
  LatencyCounts total;       // lat: from its begin, or with a rate from when it was due
  std::uint64_t bytes = 0;
  std::uint64_t short_operations = 0;

  [[nodiscard]] std::uint64_t operations() const { return total.count(); }
};

struct JobResult {
  JobSpec spec;
  std::string engine;  // "io_uring", "libaio" or "psync"
  int error = 0;       // errno of the operation that ended it
  std::string failed;  // what that was: "read"
  bool interrupted = false;
  double seconds = 0;  // that were counted
  DirectionResult read;
  DirectionResult write;
  LatencyCounts sync;
  double user_seconds = 0;  // of the CPU time of the thread that ran it, as fio counts
  double system_seconds = 0;
  std::uint64_t context_switches = 0;
  std::uint64_t major_faults = 0;
  std::uint64_t minor_faults = 0;

  [[nodiscard]] double per_second(const DirectionResult& direction) const {
    return seconds > 0 ? static_cast<double>(direction.operations()) / seconds : 0;
  }
};

}  // namespace volumeter
