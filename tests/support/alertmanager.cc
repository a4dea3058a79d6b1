#include "support/alertmanager.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "support/agent.h"
#include "support/prometheus.h"

namespace volumeter::test {

std::optional<std::string> why_no_alertmanager() {
  if (run({"sh", "-c", "command -v prometheus-alertmanager amtool"}).code == 0) {
    return std::nullopt;
  }
  return "prometheus-alertmanager isn't installed";
}

Alertmanager::Alertmanager(const std::string& configuration) : port_(free_port()) {
  std::string pattern = std::filesystem::temp_directory_path() / "volumeter-alertmanager-XXXXXX";
  directory_ = ::mkdtemp(pattern.data());
  std::ofstream(directory_ + "/alertmanager.yml") << configuration;
  Process::Options options;
  options.stderr_path = directory_ + "/log";
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"prometheus-alertmanager",
                               "--config.file=" + directory_ + "/alertmanager.yml",
                               "--storage.path=" + directory_ + "/data",
                               "--web.listen-address=" + address(), "--cluster.listen-address="},
      options);
  if (!eventually([&] { return http_get(port_, "/-/ready").status == 200; }, 60s)) std::abort();
}

Alertmanager::~Alertmanager() {
  process_.reset();
  std::filesystem::remove_all(directory_);
}

std::string Alertmanager::log() const {
  std::ifstream file(directory_ + "/log");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace volumeter::test
