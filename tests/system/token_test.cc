// The API token is in the daemon's memory, and in no other process of the agent's.
#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "probe_fixture.h"

namespace volumeter::test {
namespace {

// Whether a process' memory holds `text`; nothing when it can't be read.
std::optional<bool> memory_holds(pid_t pid, const std::string& text) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const UniqueFd memory(::open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  std::ifstream maps(proc + "/maps");
  if (!memory || !maps) return std::nullopt;
  std::vector<char> buffer;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    std::string mode;
    std::istringstream(line) >> std::hex >> begin >> dash >> end >> mode;
    if (!mode.starts_with("rw") || end - begin > (64U << 20U)) continue;
    buffer.resize(end - begin);
    const ssize_t n =
        ::pread(memory.get(), buffer.data(), buffer.size(), static_cast<off_t>(begin));
    if (n > 0 && std::string_view(buffer.data(), static_cast<std::size_t>(n)).find(text) !=
                     std::string_view::npos) {
      return true;
    }
  }
  return false;
}

class TokenTest : public ProbeTest {};

TEST_F(TokenTest, IsInTheDaemonAlone) {
  const std::string token = "eyJhbGciOiJSUzI1NiIs-this-is-the-token-" + std::to_string(::getpid());
  const std::string file = node->directory() + "/token";
  std::ofstream(file) << token << std::flush;
  probed("db", "ext4");
  Agent::Options options;
  options.latency = true;
  start({"--kube.token-file=" + file}, options);
  ASSERT_TRUE(eventually([&] { return writes("db") >= 1; })) << agent->log();
  std::size_t workers = 0;
  for (const pid_t pid : process_tree(agent->pid())) {
    const auto holds = memory_holds(pid, token);
    if (!holds) continue;  // it has ended
    EXPECT_EQ(*holds, pid == agent->pid()) << "process " << pid;
    if (pid == agent->pid()) continue;
    ++workers;
    std::error_code gone;
    for (const auto& fd : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
      EXPECT_NE(fs::read_symlink(fd.path(), gone), file);
    }
  }
  EXPECT_GE(workers, 2U) << "one for metadata, one that probes";
}

}  // namespace
}  // namespace volumeter::test
