#include "measure/probe/probe_worker.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace volumeter {
namespace probe {

Worker& worker() {
  static Worker one;
  return one;
}

std::uint64_t cpu_wait_ns() {
  std::array<char, 128> text{};
  if (::pread(worker().schedstat.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
  char* end = nullptr;
  std::strtoull(text.data(), &end, 10);  // ran
  return std::strtoull(end, nullptr, 10);
}

bool waited_too_long(std::uint64_t waited_ns, std::uint64_t took_ns) {
  return waited_ns * 2 > took_ns;
}

TestFile make_file(int directory, ProbeWay way) {
  return way == ProbeWay::kNamedFile ? make_named_file(directory) : make_unnamed_file(directory);
}

int run(int fd, const IoRequest& request) {
  IoEngine& engine = *worker().engine;
  if (const int error = engine.submit(fd, request); error != 0) return error;
  std::array<IoCompletion, 1> done{};
  while (engine.reap(done, true) == 0) {
  }
  if (done[0].result < 0) return -done[0].result;
  return std::cmp_equal(done[0].result, request.length) ? 0 : EIO;
}

}  // namespace probe

std::vector<SampleFunction> probe_functions() { return {probe::pulse, probe::burst}; }

bool prepare_probes() {
  auto engine = make_io_engine(kBurstDepth);
  if (!engine) return false;
  probe::worker().engine = std::move(engine).value();
  probe::worker().schedstat = UniqueFd(::open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC));
  return true;
}

std::string_view to_string(ProbeFlaw flaw) {
  switch (flaw) {
    case ProbeFlaw::kNone:
      return "none";
    case ProbeFlaw::kCached:
      return "cached";
    case ProbeFlaw::kCpu:
      return "cpu";
    case ProbeFlaw::kMismatch:
      return "mismatch";
    case ProbeFlaw::kSlow:
      return "slow";
    case ProbeFlaw::kStopped:
      return "workload";
  }
  return "unknown";
}

}  // namespace volumeter
