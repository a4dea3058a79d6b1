#include "support/postgres.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "support/node.h"

namespace volumeter::test {
namespace {

double number_after(const std::string& text, const std::string& label) {
  const auto at = text.find(label);
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + label.size(), nullptr);
}

}  // namespace

std::string Postgres::programs() {
  const Output where = run({"sh", "-c", "ls -d /usr/lib/postgresql/*/bin | tail -1"});
  const std::string directory = where.text.substr(0, where.text.find('\n'));
  return std::filesystem::exists(directory + "/pgbench") ? directory : "";
}

std::vector<std::string> Postgres::as_postgres(const std::vector<std::string>& argv) {
  std::vector<std::string> all = {"setpriv", "--reuid=postgres", "--regid=postgres",
                                  "--clear-groups"};
  all.insert(all.end(), argv.begin(), argv.end());
  all[4] = programs() + "/" + all[4];
  return all;
}

Postgres::Postgres(const std::string& data, const std::string& sockets) : sockets_(sockets) {
  make_directories(sockets);
  must_run({"chown", "postgres", sockets});
  must_run(as_postgres({"initdb", "-D", data + "/db", "-A", "trust", "--no-sync"}));
  server_.emplace(as_postgres({"postgres", "-D", data + "/db", "-k", sockets, "-h", ""}));
  const bool ready = eventually(
      [&] {
        return run(as_postgres({"pg_isready", "-q", "-h", sockets})).code == 0;
      },
      60s);
  if (!ready) std::fprintf(stderr, "PostgreSQL doesn't start\n");
  must_run(as_postgres({"createdb", "-h", sockets, "bench"}));
  must_run(as_postgres({"pgbench", "-h", sockets, "-i", "-q", "bench"}));
}

Postgres::~Postgres() {
  server_->signal(SIGINT);  // without waiting for clients
  server_->wait(60s);
}

Postgres::Result Postgres::bench(int transactions) const {
  const Output output = run(as_postgres(
      {"pgbench", "-h", sockets_, "-n", "-c", "1", "-t", std::to_string(transactions), "bench"}));
  return {number_after(output.text, "latency average = ") / 1000,
          number_after(output.text, "tps = ")};
}

}  // namespace volumeter::test
