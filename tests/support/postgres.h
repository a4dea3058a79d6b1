// A PostgreSQL server of a test's own, reached by a socket only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace volumeter::test {

class Postgres {
 public:
  [[nodiscard]] static bool installed() { return !programs().empty(); }

  // Makes a database of pgbench's in `data`, an empty directory that the user postgres may write
  // to, and starts a server; its socket lies in `sockets`, whose path must be short.
  Postgres(const std::string& data, const std::string& sockets);
  // Waits until it has let go of its files.
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  struct Result {
    double seconds = 0;  // a transaction took on average
    double transactions_per_second = 0;
  };
  // One client, so many transactions one after the other.
  Result bench(int transactions) const;  // NOLINT(modernize-use-nodiscard): may only warm up

 private:
  static std::string programs();  // their directory; empty: not installed
  [[nodiscard]] static std::vector<std::string> as_postgres(const std::vector<std::string>& argv);

  std::string sockets_;
  std::optional<Process> server_;
};

}  // namespace volumeter::test
