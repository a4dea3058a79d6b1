// promtool, making blocks of a Prometheus' database.
#pragma once

#include <string>
#include <vector>

#include "support/process.h"

namespace volumeter::backtest {

// Blocks are aligned to it, so that no piece of text is read for two.
constexpr std::int64_t kBlockSpan = 54L * 3600;

// `promtool tsdb create-blocks-from`, run in a directory. Throws where it fails, and what it began
// ends with it.
class Promtool {
 public:
  Promtool(std::vector<std::string> argv, const std::string& directory);
  void finish();

 private:
  std::string log_;
  test::Process process_;
};

// SIGINT and the like let check_stopped() throw, so that what was begun is cleaned up.
void catch_signals();
bool stopped();
void check_stopped();

std::string slurp(const std::string& path);

}  // namespace volumeter::backtest
