// The faults that an on-call team rehearses with: each shows, and heals.
#include <cstdlib>
#include <filesystem>

#include "support/temp_directory.h"
#include "system_test.h"

namespace volumeter::test {
namespace {

namespace fs = std::filesystem;

class RehearsalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = why_no_mounts()) GTEST_SKIP() << *why;
    if (fs::exists("/var/lib/kubelet/pods")) GTEST_SKIP() << "this machine has a kubelet";
    socket_ = directory_.path() + "/socket";
    ::setenv("VOLUMETER_DEMO_SOCKET", socket_.c_str(), 1);
    ::setenv("VOLUMETER_DEMO_LISTEN", "127.0.0.1:0", 1);
    node_ = std::make_unique<Process>(std::vector<std::string>{DEMO_NODE_PATH});
    constexpr std::string_view kAddress = "http://127.0.0.1:";
    for (std::string line = node_->read_line(); port_ == 0; line = node_->read_line()) {
      if (const auto at = line.find(kAddress); at != std::string::npos) {
        port_ = std::stoi(line.substr(at + kAddress.size()));
      }
    }
  }
  void TearDown() override {
    if (node_ == nullptr) return;
    node_->signal(SIGTERM);
    EXPECT_TRUE(node_->wait(30s)) << "it ends, and takes everything with it";
  }

  static Output fault(const std::string& kind, const std::string& claim = "") {
    std::vector<std::string> command = {DEMO_NODE_PATH, "fault", kind};
    if (!claim.empty()) command.push_back(claim);
    return run(command);
  }
  [[nodiscard]] bool sees(const std::string& metric, int claim, const std::string& more,
                          const std::function<bool(double)>& wanted) const {
    const std::string series = "volumeter_" + metric +
                               R"({namespace="shop",persistentvolumeclaim="data-orders-)" +
                               std::to_string(claim) + "\"" + more + "}";
    return eventually(
        [&] {
          const Metrics all = parse_metrics(http_get(port_, "/metrics").body);
          const auto it = all.find(series);
          return it != all.end() && wanted(it->second);
        },
        90s);
  }
  [[nodiscard]] bool sees(const std::string& metric, int claim, double value,
                          const std::string& more = "") const {
    return sees(metric, claim, more, [&](double seen) { return seen == value; });
  }

  TempDirectory directory_;
  std::string socket_;
  std::unique_ptr<Process> node_;
  int port_ = 0;
};

TEST_F(RehearsalTest, EachFaultShowsAndHeals) {
  EXPECT_EQ(fault("full").code, 0);
  EXPECT_EQ(fault("read-only").code, 0);
  EXPECT_EQ(fault("expand").code, 0);
  EXPECT_TRUE(sees("volume_usage_ratio", 0, "", [](double ratio) { return ratio > 0.95; }));
  EXPECT_TRUE(sees("volume_expansion_stage", 1, 1, ",stage=\"filesystem\""));
  EXPECT_TRUE(sees("volume_read_only", 2, 1, ",cause=\"emergency\"") ||
              sees("volume_read_only", 2, 1, ",cause=\"superblock\""));
  EXPECT_EQ(fault("heal").code, 0);
  EXPECT_TRUE(sees("volume_usage_ratio", 0, "", [](double ratio) { return ratio < 0.5; }));
  EXPECT_TRUE(sees("volume_expansion_pending_bytes", 1, 0));
  EXPECT_TRUE(sees("volume_read_only", 2, 0, ",cause=\"superblock\""));
  EXPECT_TRUE(sees("volume_filesystem_errors_total", 2, 0, ",kind=\"error\""));

  EXPECT_EQ(fault("unmount").code, 0);
  EXPECT_EQ(fault("slow").code, 0);
  EXPECT_EQ(fault("hang").code, 0);
  EXPECT_TRUE(sees("volume_mounted", 2, 0));
  EXPECT_TRUE(sees("volume_unmounted_bytes", 2, "", [](double bytes) { return bytes >= 65536; }));
  EXPECT_TRUE(sees("volume_write_responsive", 0, 0));
  EXPECT_EQ(fault("heal").code, 0);
  EXPECT_TRUE(sees("volume_mounted", 2, 1));
  EXPECT_TRUE(sees("volume_write_responsive", 0, 1));
}

TEST_F(RehearsalTest, AWrongCommandSaysWhatIsAllowed) {
  const Output wrong = fault("explode");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.text.find("\"explode\" is no fault; allowed: heal, rollout, full, hang, slow, "
                            "read-only, unmount, expand; and a claim of: data-orders-0"),
            std::string::npos)
      << wrong.text;
  EXPECT_EQ(fault("full", "nothing").code, 2);
  EXPECT_EQ(fault("hang", "data-orders-2").code, 2) << "it has no disk that can";
  EXPECT_EQ(fault("full", "data-orders-2 50").code, 2) << "it is fuller than that";
  EXPECT_EQ(fault("heal").text, "nothing to heal\n");
  ::setenv("VOLUMETER_DEMO_SOCKET", "/nonexistent/socket", 1);
  EXPECT_EQ(fault("full").code, 1);
}

}  // namespace
}  // namespace volumeter::test
