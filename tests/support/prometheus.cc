#include "support/prometheus.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kube/api_client.h"
#include "support/agent.h"

namespace volumeter::test {

std::optional<std::string> why_no_prometheus() {
  if (run({"sh", "-c", "command -v prometheus"}).code == 0) return std::nullopt;
  return "prometheus isn't installed";
}

int free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

namespace {

// JSON is YAML.
std::string configuration(const std::vector<std::string>& targets,
                          const Prometheus::Options& options) {
  nlohmann::json all;
  all["global"] = {{"scrape_interval", options.interval},
                   {"scrape_timeout", "1s"},
                   {"evaluation_interval", options.interval}};
  all["scrape_configs"] = {{{"job_name", "volumeter"},
                            {"honor_labels", true},
                            {"static_configs", {{{"targets", targets}}}}}};
  auto& labels = all["scrape_configs"][0]["static_configs"][0]["labels"];
  labels = nlohmann::json::object();
  for (const auto& [name, value] : options.labels) labels[name] = value;
  all["rule_files"] = options.rules;
  if (!options.alertmanager.empty()) {
    all["alerting"]["alertmanagers"] = {
        {{"static_configs", {{{"targets", {options.alertmanager}}}}}}};
  }
  return all.dump();
}

}  // namespace

Prometheus::Prometheus(const std::vector<std::string>& targets, const Options& wanted)
    : port_(free_port()) {
  std::string pattern = std::filesystem::temp_directory_path() / "volumeter-prometheus-XXXXXX";
  directory_ = ::mkdtemp(pattern.data());
  std::ofstream(directory_ + "/prometheus.yml") << configuration(targets, wanted);
  Process::Options options;
  options.stderr_path = directory_ + "/log";
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"prometheus", "--config.file=" + directory_ + "/prometheus.yml",
                               "--storage.tsdb.path=" + directory_ + "/data",
                               "--web.listen-address=127.0.0.1:" + std::to_string(port_)},
      options);
  if (!eventually([&] { return http_get(port_, "/-/ready").status == 200; }, 60s)) std::abort();
}

Prometheus::~Prometheus() {
  process_.reset();
  std::filesystem::remove_all(directory_);
}

std::vector<Prometheus::Sample> Prometheus::query(const std::string& expression,
                                                  std::string* error) const {
  const HttpAnswer answer = http_get(port_, "/api/v1/query?query=" + percent_encode(expression));
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  std::vector<Sample> samples;
  if (json.is_discarded() || json.value("status", "") != "success") {
    if (error != nullptr) *error = answer.body;
    return samples;
  }
  for (const auto& item : json["data"]["result"]) {
    samples.push_back({item["metric"].get<std::map<std::string, std::string>>(),
                       std::stod(item["value"][1].get<std::string>())});
  }
  return samples;
}

}  // namespace volumeter::test
