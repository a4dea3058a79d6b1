// What people and the kernel write in one line: durations, annotations, cgroups.
#include <cstddef>
#include <cstdint>
#include <string>

#include "benchmark/caveats.h"
#include "collect/probe_plan.h"
#include "collect/workload_fit.h"
#include "volumeter/duration.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace volumeter;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto duration = parse_duration(text);
  if (duration && duration->count() <= 0) __builtin_trap();
  for (const std::string name : {"probe", "burst", "probe-interval"}) {
    const bool fine = wrong_with_annotation(name, text).empty();
    if (fine && name == "probe-interval" && (!duration || duration->count() < 1000)) {
      __builtin_trap();
    }
  }
  if (wrong_with_workload(text).empty() && first_rule(text) == nullptr) __builtin_trap();
  cgroup_limits(text, "/nowhere", {{8, 0}});
  return 0;
}
