#include "measure/all.h"

#include "measure/health/health.h"
#include "measure/io/io.h"
#include "measure/latency/latency.h"
#include "measure/usage/usage.h"

namespace volumeter {

Measurers make_all_measurers(const HostPaths& host, const MeasurerOptions& options) {
  Measurers all;
  all.push_back(make_usage_measurer());
  all.push_back(make_io_measurer(host));
  all.push_back(make_latency_measurer(options.reads_and_writes));
  all.push_back(make_health_measurer(host, options.orphans_after));
  return all;
}

std::vector<LiveMeasurer*> live_measurers(const Measurers& measurers,
                                          const std::set<std::string>& disabled) {
  std::vector<LiveMeasurer*> live;
  for (const auto& measurer : measurers) {
    auto* one = dynamic_cast<LiveMeasurer*>(measurer.get());
    if (one != nullptr && !disabled.contains(std::string(one->name()))) live.push_back(one);
  }
  return live;
}

std::vector<SampleFunction> worker_functions(const Measurers& measurers) {
  std::vector<SampleFunction> functions;
  for (const auto& measurer : measurers) {
    const auto* sampled = dynamic_cast<const SampledMeasurer*>(measurer.get());
    functions.push_back(sampled == nullptr ? nullptr : sampled->function());
  }
  return functions;
}

}  // namespace volumeter
