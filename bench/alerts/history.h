// A Prometheus whose past is made up: samples are loaded, rules recorded and expressions evaluated
// over all of it.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/alerts/rules.h"
#include "support/process.h"

namespace volumeter::backtest {

class History {
 public:
  // Of Unix seconds [from, until]. Works in the current directory, which should be an empty one.
  History(std::int64_t from, std::int64_t until) : from_(from), until_(until) {}

  // Loads a file of OpenMetrics, of no more than one block's time, and removes it.
  void load(const std::string& path) const;
  void start();
  // Rules that don't need each other. What they record can be read at once.
  void record(const std::vector<Recording>& rules);
  // A range query's result. It steps where recorded samples are.
  [[nodiscard]] nlohmann::json range(const std::string& expr, std::int64_t from,
                                     std::int64_t until) const;
  // How long after each step rules are evaluated: Prometheus spreads groups by their name.
  [[nodiscard]] double offset() const { return offset_; }

 private:
  void find_offset(const std::string& recorded);

  std::int64_t from_;
  std::int64_t until_;
  double offset_ = 0;
  int port_ = 0;
  std::unique_ptr<test::Process> prometheus_;
};

}  // namespace volumeter::backtest
