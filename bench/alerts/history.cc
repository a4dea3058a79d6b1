#include "bench/alerts/history.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "bench/alerts/promtool.h"
#include "bench/alerts/shapes.h"
#include "kube/api_client.h"
#include "support/agent.h"
#include "support/prometheus.h"

namespace volumeter::backtest {
namespace {

using namespace std::chrono_literals;

std::string number(double value) {
  std::ostringstream text;
  text.precision(15);
  text << value;
  return text.str();
}

// Beside others' work an answer may take longer than http_get waits, and be there at the next try.
nlohmann::json answer(int port, const std::string& path) {
  std::string body;
  for (int tries = 0; tries < 10; ++tries) {
    check_stopped();
    body = test::http_get(port, path).body;
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (json.is_discarded()) continue;
    if (json.value("status", "") == "success") return json["data"]["result"];
    break;
  }
  throw std::runtime_error("Prometheus: " + body.substr(0, 1000));
}

}  // namespace

void History::load(const std::string& path) const {
  Promtool({"openmetrics", path, "data"}, ".").finish();
  std::filesystem::remove(path);
}

void History::start() {
  // What was scraped or recorded a step ago must not be seen: where a live Prometheus marks a
  // series that ended, there is just nothing here.
  const std::string look_back = "--query.lookback-delta=" + std::to_string(kStep - 1) + "s";
  prometheus_.reset();
  std::ofstream("prometheus.yml") << "{}\n";
  port_ = test::free_port();
  test::Process::Options options;
  options.stderr_path = "prometheus.log";
  prometheus_ = std::make_unique<test::Process>(
      std::vector<std::string>{"prometheus", "--config.file=prometheus.yml",
                               "--storage.tsdb.path=data", "--storage.tsdb.retention.time=10y",
                               look_back, "--query.max-samples=500000000", "--query.timeout=10m",
                               "--web.listen-address=127.0.0.1:" + std::to_string(port_)},
      options);
  if (!test::eventually(
          [&] { return stopped() || test::http_get(port_, "/-/ready").status == 200; }, 120s)) {
    throw std::runtime_error("Prometheus doesn't start: " + slurp("prometheus.log"));
  }
  check_stopped();
}

void History::record(const std::vector<Recording>& rules) {
  // In two halves beside each other, of the same file and group to themselves: when in a step a
  // rule is evaluated, Prometheus takes from these names.
  std::vector<std::unique_ptr<Promtool>> running;
  for (const std::string half : {"half0", "half1"}) {
    std::vector<Recording> mine;
    for (std::size_t i = running.size(); i < rules.size(); i += 2) mine.push_back(rules[i]);
    if (mine.empty()) continue;
    std::filesystem::create_directory(half);
    write_rules(mine, half + "/rules.yaml");
    running.push_back(std::make_unique<Promtool>(
        std::vector<std::string>{"rules", "--url=http://127.0.0.1:" + std::to_string(port_),
                                 "--start=" + std::to_string(from_),
                                 "--end=" + std::to_string(until_), "--output-dir=../data",
                                 "--eval-interval=" + std::to_string(kStep) + "s", "rules.yaml"},
        half));
  }
  for (const auto& promtool : running) promtool->finish();
  // It sees new blocks when it starts.
  start();
  for (const Recording& rule : rules) find_offset(rule.name);
}

void History::find_offset(const std::string& recorded) {
  const std::string path = "/api/v1/query?time=" + std::to_string(until_) +
                           "&query=" + percent_encode("max(timestamp(" + recorded + "))");
  for (const auto& item : answer(port_, path)) {
    offset_ = std::fmod(std::stod(item["value"][1].get<std::string>()) - static_cast<double>(from_),
                        static_cast<double>(kStep));
  }
}

nlohmann::json History::range(const std::string& expr, std::int64_t from,
                              std::int64_t until) const {
  return answer(port_, "/api/v1/query_range?start=" + number(static_cast<double>(from) + offset_) +
                           "&end=" + number(static_cast<double>(until)) +
                           "&step=" + std::to_string(kStep) + "&query=" + percent_encode(expr));
}

}  // namespace volumeter::backtest
