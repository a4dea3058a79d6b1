#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "benchmark/report.h"
#include "volumeter/version.h"

namespace volumeter {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kPercentiles = {1.0,  5.0,  10.0, 20.0, 30.0, 40.0, 50.0,  60.0, 70.0,
                                     80.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99};

Json latency(const LatencyCounts& counts, bool percentiles) {
  Json out = {{"min", counts.min()},
              {"max", counts.max()},
              {"mean", counts.mean()},
              {"stddev", counts.deviation()},
              {"N", counts.count()}};
  if (!percentiles || counts.count() == 0) return out;
  for (const double percent : kPercentiles) {
    std::array<char, 16> name{};
    std::snprintf(name.data(), name.size(), "%f", percent);
    out["percentile"][name.data()] = counts.percentile(percent);
  }
  return out;
}

Json direction(const JobResult& result, const DirectionResult& one) {
  const double bytes = result.seconds > 0 ? static_cast<double>(one.bytes) / result.seconds : 0;
  const auto runtime = one.operations() == 0 ? 0 : std::llround(result.seconds * 1000);
  return {{"io_bytes", one.bytes},
          {"io_kbytes", one.bytes >> 10U},
          {"bw_bytes", static_cast<std::uint64_t>(bytes)},
          {"bw", static_cast<std::uint64_t>(bytes) >> 10U},
          {"iops", result.per_second(one)},
          {"runtime", runtime},
          {"total_ios", one.operations()},
          {"short_ios", one.short_operations},
          {"drop_ios", 0},
          {"slat_ns", latency(one.submission, false)},
          {"clat_ns", latency(one.completion, true)},
          {"lat_ns", latency(one.total, false)}};
}

const char* rw_of(const JobSpec& spec) {
  if (spec.reads >= 1) return spec.random ? "randread" : "read";
  if (spec.reads <= 0) return spec.random ? "randwrite" : "write";
  return spec.random ? "randrw" : "rw";
}

Json options_of(const JobResult& result) {
  const JobSpec& spec = result.spec;
  Json options = {{"name", spec.name},
                  {"rw", rw_of(spec)},
                  {"bs", std::to_string(spec.block)},
                  {"iodepth", std::to_string(spec.depth)},
                  {"ioengine", result.engine},
                  {"direct", spec.direct ? "1" : "0"},
                  {"size", std::to_string(spec.size)},
                  {"runtime", std::to_string(spec.runtime.count()) + "ms"},
                  {"ramp_time", std::to_string(spec.ramp.count()) + "ms"}};
  if (spec.sync) options["fdatasync"] = "1";
  if (spec.reads > 0 && spec.reads < 1) {
    options["rwmixread"] = std::to_string(std::lround(spec.reads * 100));
  }
  if (spec.rate) options["rate_iops"] = std::to_string(std::llround(*spec.rate));
  return options;
}

Json job(const JobResult& result) {
  const double seconds = result.seconds > 0 ? result.seconds : 1;
  return {{"jobname", result.spec.name},
          {"groupid", 0},
          {"error", result.error},
          {"elapsed", std::llround(std::ceil(result.seconds))},
          {"job options", options_of(result)},
          {"read", direction(result, result.read)},
          {"write", direction(result, result.write)},
          {"trim", direction(result, {})},
          {"sync", {{"total_ios", result.sync.count()}, {"lat_ns", latency(result.sync, true)}}},
          {"job_runtime", std::llround(result.seconds * 1000)},
          {"usr_cpu", result.user_seconds / seconds * 100},
          {"sys_cpu", result.system_seconds / seconds * 100},
          {"ctx", result.context_switches},
          {"majf", result.major_faults},
          {"minf", result.minor_faults}};
}

}  // namespace

std::string to_fio_json(const BenchTarget& target, const std::vector<JobResult>& results,
                        const std::vector<std::string>& caveats) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::array<char, 64> when{};
  std::tm broken{};
  std::strftime(when.data(), when.size(), "%a %b %e %H:%M:%S %Y", ::localtime_r(&seconds, &broken));
  Json out = {{"fio version", std::string("volumeter-") + kVersion},
              {"timestamp", seconds},
              {"timestamp_ms", ms},
              {"time", when.data()},
              {"global options", {{target.device ? "filename" : "directory", target.path}}},
              {"jobs", Json::array()},
              {"volumeter", {{"caveats", caveats}}}};
  for (const JobResult& result : results) out["jobs"].push_back(job(result));
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace volumeter
