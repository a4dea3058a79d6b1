#include "collect/self_metrics.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sstream>

#include "volumeter/version.h"

namespace volumeter {
namespace {

const MetricDesc kDuration = {"volumeter_measurer_duration_seconds",
                              "How long the measurer's last round took.",
                              MetricType::kGauge,
                              {"measurer"}};
const MetricDesc kSuccess = {"volumeter_measurer_success",
                             "1 if the measurer's last round measured everything it should.",
                             MetricType::kGauge,
                             {"measurer"}};
const MetricDesc kSourceUp = {"volumeter_metadata_source_up",
                              "1 if this source of the inventory could be read when last tried.",
                              MetricType::kGauge,
                              {"source"}};
const MetricDesc kSourceTime = {"volumeter_metadata_source_last_success_timestamp_seconds",
                                "When this source was last read in full, in Unix time.",
                                MetricType::kGauge,
                                {"source"}};
const MetricDesc kRequests = {
    "volumeter_metadata_requests_total",
    "Requests for names, by resource, verb and HTTP status; code error when no answer came.",
    MetricType::kCounter,
    {"source", "resource", "verb", "code"}};
const MetricDesc kRequestSeconds = {"volumeter_metadata_request_duration_seconds",
                                    "How long requests for names took, watches left out.",
                                    MetricType::kHistogram,
                                    {"source"}};
const MetricDesc kReceived = {"volumeter_metadata_received_bytes_total",
                              "Bytes of answers to requests for names, as they came over the wire.",
                              MetricType::kCounter,
                              {"source"}};
const MetricDesc kWorkers = {"volumeter_workers",
                             "Worker processes: ready, or stuck over a volume that hangs.",
                             MetricType::kGauge,
                             {"state"}};
const MetricDesc kWalkCpu = {"volumeter_walk_cpu_seconds_total",
                             "CPU time that walks have taken.",
                             MetricType::kCounter,
                             {}};
const MetricDesc kProgram = {
    "volumeter_bpf_program_attached",
    "1 if this BPF program is attached, 0 if it can't be: the log says why.",
    MetricType::kGauge,
    {"program"}};
const MetricDesc kCapability = {
    "volumeter_capability_granted",
    "1 if the agent was started with this capability, of those that it has a use for.",
    MetricType::kGauge,
    {"capability"}};
const MetricDesc kBuildInfo = {"volumeter_build_info",
                               "What was built, from what. Always 1.",
                               MetricType::kGauge,
                               {"version", "revision", "compiler"}};
const MetricDesc kCpu = {"process_cpu_seconds_total",
                         "CPU time of the agent and of its workers that have ended.",
                         MetricType::kCounter,
                         {}};
const MetricDesc kResident = {
    "process_resident_memory_bytes", "Resident memory of the agent.", MetricType::kGauge, {}};
const MetricDesc kVirtual = {
    "process_virtual_memory_bytes", "Virtual memory of the agent.", MetricType::kGauge, {}};
const MetricDesc kOpenFds = {
    "process_open_fds", "Open file descriptors of the agent.", MetricType::kGauge, {}};
const MetricDesc kMaxFds = {
    "process_max_fds", "Limit of open file descriptors.", MetricType::kGauge, {}};
const MetricDesc kStart = {
    "process_start_time_seconds", "When the agent started, in Unix time.", MetricType::kGauge, {}};

double seconds(const timeval& tv) {
  return static_cast<double>(tv.tv_sec) + static_cast<double>(tv.tv_usec) * 1e-6;
}

double cpu_seconds() {
  double total = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    total += seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return total;
}

double start_time() {
  static const double when = [] {
    struct stat st {};
    ::stat("/proc/self", &st);
    return static_cast<double>(st.st_ctim.tv_sec) + static_cast<double>(st.st_ctim.tv_nsec) * 1e-9;
  }();
  return when;
}

}  // namespace

void add_measurer_result(MeasurementSet& out, std::string_view measurer, double seconds,
                         bool success) {
  const Labels labels = make_labels({std::string(measurer)});
  out.add(kDuration, labels, seconds);
  out.add(kSuccess, labels, success ? 1 : 0);
}

void add_sources(MeasurementSet& out, const std::vector<SourceState>& sources) {
  for (const SourceState& source : sources) {
    const Labels labels = make_labels({source.source});
    out.add(kSourceUp, labels, source.up ? 1 : 0);
    if (source.last_success) {
      const std::chrono::duration<double> when = source.last_success->time_since_epoch();
      out.add(kSourceTime, labels, when.count());
    }
  }
}

void add_requests(MeasurementSet& out, const std::vector<RequestStats>& requests) {
  for (const RequestStats& stats : requests) {
    for (const auto& [key, count] : stats.requests) {
      const auto& [resource, verb, code] = key;
      out.add(kRequests, std::vector<std::string>{stats.source, resource, verb, code},
              static_cast<double>(count));
    }
    const Labels labels = make_labels({stats.source});
    out.add(kRequestSeconds, labels, std::make_shared<const Histogram>(stats.seconds));
    out.add(kReceived, labels, static_cast<double>(stats.received_bytes));
  }
}

void add_workers(MeasurementSet& out, const WorkerPool::Counts& counts) {
  out.add(kWorkers, std::vector<std::string>{"ready"}, static_cast<double>(counts.ready));
  out.add(kWorkers, std::vector<std::string>{"stuck"}, static_cast<double>(counts.stuck));
}

void add_programs(MeasurementSet& out, const std::vector<std::pair<std::string, bool>>& programs) {
  for (const auto& [name, attached] : programs) {
    out.add(kProgram, std::vector{name}, attached ? 1 : 0);
  }
}

void add_capabilities(MeasurementSet& out, const Capabilities& capabilities) {
  for (const auto& [name, granted] : capabilities) {
    out.add(kCapability, std::vector{std::string(name)}, granted ? 1 : 0);
  }
}

void add_walk_cpu(MeasurementSet& out, double seconds) {
  out.add(kWalkCpu, make_labels({}), seconds);
}

void add_build_info(MeasurementSet& out) {
  out.add(kBuildInfo, std::vector<std::string>{kVersion, kRevision, "g++ " __VERSION__}, 1);
}

void add_process(MeasurementSet& out) {
  const Labels none = make_labels({});
  out.add(kCpu, none, cpu_seconds());
  if (auto statm = read_file("/proc/self/statm")) {
    std::istringstream fields(*statm);
    double size = 0;
    double resident = 0;
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    if (fields >> size >> resident) {
      out.add(kVirtual, none, size * page);
      out.add(kResident, none, resident * page);
    }
  }
  UniqueFd fds(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int count = -1;  // the directory's own
  if (fds && list_directory(std::move(fds), [&](const DirectoryEntry&) { ++count; })) {
    out.add(kOpenFds, none, count);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.add(kMaxFds, none, static_cast<double>(limit.rlim_cur));
  }
  out.add(kStart, none, start_time());
}

std::vector<const MetricDesc*> self_metric_families() {
  return {&kDuration, &kSuccess,  &kSourceUp, &kSourceTime, &kRequests,   &kRequestSeconds,
          &kReceived, &kWorkers,  &kWalkCpu,  &kProgram,    &kCapability, &kBuildInfo,
          &kCpu,      &kResident, &kVirtual,  &kOpenFds,    &kMaxFds,     &kStart};
}

}  // namespace volumeter
