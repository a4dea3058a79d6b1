#include "support/agent.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace volumeter::test {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string temporary_file() {
  std::string pattern = (std::filesystem::temp_directory_path() / "volumeter-log-XXXXXX").string();
  UniqueFd fd(::mkstemp(pattern.data()));
  return pattern;
}

sockaddr_storage to_address(const std::string& text, int port, socklen_t& size) {
  sockaddr_storage out{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof *v4;
  } else {
    ::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof *v6;
  }
  return out;
}

Process start(const std::vector<std::string>& flags, const Agent::Options& options,
              const std::string& log) {
  std::vector<std::string> argv = options.wrapper;
  argv.insert(argv.end(), {VOLUMETER_PATH, "agent", "--web.listen-address=" + options.listen});
  // Loading BPF programs takes a tenth of a second of CPU time, and twenty times that in the test
  // machine: only for tests that are about them.
  if (!options.latency) argv.emplace_back("--no-measure.latency");
  argv.insert(argv.end(), flags.begin(), flags.end());
  Process::Options process = options.process;
  process.stderr_path = log;
  return Process(argv, process);
}

// RFC 9112, 7.1: a length in hexadecimal, and so many bytes; 0 at the end.
std::string without_chunks(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto line = text.find("\r\n", at);
    const std::size_t size = std::strtoul(text.c_str() + at, nullptr, 16);
    if (line == std::string::npos || size == 0) break;
    out += text.substr(line + 2, size);
    at = line + 2 + size + 2;
  }
  return out;
}

}  // namespace

UniqueFd connect_to(int port, const std::string& to, const std::string& from) {
  socklen_t size = 0;
  const sockaddr_storage address = to_address(to, port, size);
  UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{20, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (!from.empty()) {
    socklen_t own_size = 0;
    const sockaddr_storage own = to_address(from, 0, own_size);
    ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), own_size);
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) fd.reset();
  return fd;
}

HttpAnswer http_get(int port, const std::string& path, const std::string& headers,
                    const std::string& to, const std::string& method, const std::string& from) {
  HttpAnswer answer;
  const UniqueFd fd = connect_to(port, to, from);
  if (!fd) return answer;
  const std::string request =
      method + " " + path + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" + headers + "\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return answer;
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t n = 0; (n = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos || text.size() < 12) return answer;
  answer.status = std::atoi(text.c_str() + 9);
  answer.headers = text.substr(0, end);
  answer.body = text.substr(end + 4);
  if (answer.headers.find("Transfer-Encoding: chunked") != std::string::npos) {
    answer.body = without_chunks(answer.body);
  }
  return answer;
}

Metrics parse_metrics(const std::string& text) {
  Metrics metrics;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto space = line.rfind(' ');
    if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
    metrics[line.substr(0, space)] = std::strtod(line.c_str() + space + 1, nullptr);
  }
  return metrics;
}

Agent::Agent(const std::vector<std::string>& flags, const Options& options)
    : log_path_(temporary_file()), process_(start(flags, options, log_path_)) {
  eventually([&] {
    const std::string text = log();
    const auto at = text.find("msg=\"listening\" port=\"");
    if (at != std::string::npos) port_ = std::atoi(text.c_str() + at + 22);
    return port_ != 0 || process_.wait(0ms).has_value();
  });
}

Agent::~Agent() {
  std::error_code ignored;
  std::filesystem::remove(log_path_, ignored);
}

std::string Agent::log() const { return slurp(log_path_); }

std::optional<double> Agent::metric(const std::string& series) const {
  const Metrics all = metrics();
  const auto it = all.find(series);
  return it == all.end() ? std::nullopt : std::optional(it->second);
}

bool Agent::sees(const std::string& series, double value, std::chrono::milliseconds limit) const {
  return eventually([&] { return metric(series) == value; }, limit);
}

bool Agent::ready(std::chrono::milliseconds limit) const {
  return eventually([&] { return get("/readyz").status == 200; }, limit);
}

std::vector<pid_t> process_tree(pid_t root) {
  std::vector<pid_t> tree = {root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const std::string task = "/proc/" + std::to_string(tree[i]) + "/task";
    std::error_code ignored;
    for (const auto& thread : std::filesystem::directory_iterator(task, ignored)) {
      std::istringstream children(slurp(thread.path().string() + "/children"));
      for (pid_t child = 0; children >> child;) tree.push_back(child);
    }
  }
  return tree;
}

std::size_t count_entries(const std::string& directory) {
  std::size_t count = 0;
  std::error_code ignored;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(directory, ignored)) {
    ++count;
  }
  return count;
}

}  // namespace volumeter::test
