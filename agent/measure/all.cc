#include "measure/all.h"

#include "measure/io/io.h"
#include "measure/latency/latency.h"
#include "measure/usage/usage.h"

namespace volumeter {

Measurers make_all_measurers(const HostPaths& host) {
  Measurers all;
  all.push_back(make_usage_measurer());
  all.push_back(make_io_measurer(host));
  all.push_back(make_latency_measurer());
  return all;
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
