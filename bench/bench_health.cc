// bench_health: what following the kernel's log costs while 10,000 lines a second are written to
// it, beside `dmesg --follow`. Prints figures and ratios; asserts nothing.
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bench/support.h"
#include "support/agent.h"
#include "support/node.h"

namespace {

using namespace volumeter::bench;
using namespace volumeter::test;
using Clock = std::chrono::steady_clock;

constexpr int kLinesASecond = 10'000;
constexpr auto kFor = std::chrono::seconds(2);

// Or each line would wait for a serial console to print it: 11,520 bytes a second.
class QuietConsole {
 public:
  QuietConsole() {
    std::ifstream(kPath) >> before_;
    std::ofstream(kPath) << 1;
  }
  ~QuietConsole() { std::ofstream(kPath) << before_; }
  QuietConsole(const QuietConsole&) = delete;
  QuietConsole& operator=(const QuietConsole&) = delete;

 private:
  static constexpr const char* kPath = "/proc/sys/kernel/printk";
  int before_ = 4;
};

// A real filesystem's real error messages.
void flood(const std::string& sysfs) {
  const volumeter::UniqueFd trigger(
      ::open((sysfs + "trigger_fs_error").c_str(), O_WRONLY | O_CLOEXEC));
  const auto begin = Clock::now();
  for (int i = 0; i < kLinesASecond * kFor.count(); ++i) {
    if (i % 100 == 0) {
      std::this_thread::sleep_until(begin +
                                    i * std::chrono::microseconds(1'000'000) / kLinesASecond);
    }
    (void)!::write(trigger.get(), "bench", 5);
  }
}

}  // namespace

int main() {
  if (const auto why = why_no_mounts()) {
    std::fprintf(stderr, "bench_health: %s\n", why->c_str());
    return 0;
  }
  enter_mount_namespace();
  Node node;
  const std::string where = node.csi_dir("u", "v");
  const std::string device = node.mount_image(node.image("ext4", 64 << 20), "ext4", where);
  const std::string sysfs =
      "/sys/fs/ext4/" + std::filesystem::path(device).filename().string() + "/";
  std::ofstream(sysfs + "err_ratelimit_interval_ms") << "0";
  const QuietConsole console;
  Agent agent(node.agent_flags());
  if (!agent.ready()) return 1;
  Process peer({"sh", "-c", "exec dmesg --follow > /dev/null"});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const int rounds = std::clamp(seconds_to_run() / 30, 3, 10);
  std::vector<double> ours, theirs, quiet, ratios;
  for (int i = 0; i < rounds; ++i) {
    progress("kmsg", i, rounds);
    double start = cpu_seconds(agent.pid());
    std::this_thread::sleep_for(kFor);
    quiet.push_back(cpu_seconds(agent.pid()) - start);
    start = cpu_seconds(agent.pid());
    const double their_start = cpu_seconds(peer.pid());
    flood(sysfs);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ours.push_back(cpu_seconds(agent.pid()) - start - quiet.back());
    theirs.push_back(cpu_seconds(peer.pid()) - their_start);
    ratios.push_back(ours.back() / theirs.back());
  }
  const auto share = [](double seconds) { return seconds / kFor.count() * 100; };
  const auto said = [&](const char* metric) {
    return agent.metric(std::string("volumeter_") + metric).value_or(-1);
  };
  std::printf("\n## %d lines a second in the kernel's log, %d times %ld s\n\n", kLinesASecond,
              rounds, static_cast<long>(kFor.count()));
  std::printf("| | volumeter | dmesg --follow | ratio |\n| --- | --- | --- | --- |\n");
  std::printf("| CPU, %% of a core, above what the agent takes in quiet | %.2f | %.2f | %.2f |\n",
              share(median(ours)), share(median(theirs)), median(ratios));
  std::printf("| lines counted, of %lld | %.0f | – | – |\n",
              static_cast<long long>(rounds) * kLinesASecond * kFor.count(),
              said("kernel_messages_total{kind=\"filesystem_error\"}"));
  std::printf("| lines lost | %.0f | – | – |\n", said("kernel_messages_lost_total"));
  std::printf("| CPU in quiet, %% of a core | %.2f | – | – |\n", share(median(quiet)));
  peer.signal(SIGTERM);
  return 0;
}
