#include "host/host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "host/block_devices.h"
#include "host/capabilities.h"
#include "host/event_loop.h"
#include "support/temp_directory.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

namespace fs = std::filesystem;

class HostTest : public testing::Test {
 protected:
  const test::TempDirectory temporary_{"host"};
  const fs::path directory_ = temporary_.path();
};

TEST(Printable, KeepsNamesApartAndValid) {
  EXPECT_EQ(printable("pvc-ä-日本"), "pvc-ä-日本");
  EXPECT_EQ(printable("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "a terminal's control sequence";
  EXPECT_NE(printable("\xfe"), printable("\xff"));
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate is no character";
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "an overlong slash";
}

TEST_F(HostTest, AFifoInAFilesPlaceIsRefusedAtOnce) {
  const std::string path = directory_ / "token";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto text = read_file(path);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("not a regular file"), std::string::npos);
}

TEST_F(HostTest, AFileOverTheLimitIsRefusedByName) {
  const std::string path = directory_ / "long";
  std::ofstream(path) << std::string(100, 'x');
  EXPECT_TRUE(read_file(path, 100));
  const auto text = read_file(path, 99);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find(path), std::string::npos);
}

TEST_F(HostTest, BeneathFollowsNoLinkAndLeavesNothing) {
  std::ofstream(directory_ / "secret") << "s";
  fs::create_directories(directory_ / "tree/inside");
  fs::create_symlink(directory_ / "secret", directory_ / "tree/link");
  fs::create_symlink(directory_, directory_ / "tree/up");
  const UniqueFd tree(::open((directory_ / "tree").c_str(), O_PATH | O_CLOEXEC));
  EXPECT_FALSE(read_file_beneath(tree.get(), "link", 10));
  EXPECT_FALSE(read_file_beneath(tree.get(), "up/secret", 10));
  EXPECT_FALSE(read_file_beneath(tree.get(), "../secret", 10));
  EXPECT_FALSE(read_file_beneath(tree.get(), directory_ / "secret", 10));
}

TEST(Partitions, BadLinesCostOnlyThemselves) {
  const auto devices = parse_partitions(
      "major minor  #blocks  name\n\n 7 3 49152 loop3\n garbage\n 259 1 10 nvme0n1\n 8 x 1 sda\n");
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices.at({7, 3}).size_bytes, 49152U * 1024);
  EXPECT_EQ(devices.at({259, 1}).name, "nvme0n1");
}

TEST(AuditLog, IsWrittenWhateverTheLevelAndForgesNoLine) {
  configure_log(LogLevel::kError, LogFormat::kJson);
  testing::internal::CaptureStderr();
  ASSERT_TRUE(configure_audit(""));
  log(LogLevel::kWarn, "not this one");
  audit("a pulse writes", {{"volume", "a\"b\n{\"msg\":\"forged\"}"}});
  const std::string text = testing::internal::GetCapturedStderr();
  configure_log(LogLevel::kInfo, LogFormat::kLogfmt);
  EXPECT_EQ(text.find("not this one"), std::string::npos);
  EXPECT_NE(text.find(R"("msg":"a pulse writes","volume":"a\"b)"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST(AuditLog, AFullFileIsKeptAndAnotherBegun) {
  const test::TempDirectory directory;
  const std::string path = directory.path() + "/audit.log";
  ASSERT_TRUE(configure_audit(path));
  const std::string text(100000, 'x');
  for (int i = 0; i < 150; ++i) audit("a pulse writes", {{"volume", text}});
  ASSERT_TRUE(configure_audit(""));
  EXPECT_GT(std::filesystem::file_size(directory.path() + "/audit.1.log"), 9U << 20U);
  EXPECT_LT(std::filesystem::file_size(path), 10U << 20U);
  EXPECT_FALSE(configure_audit(directory.path()));
}

TEST(GrantedCapabilities, AreThePermittedOnes) {
  const auto of = [](std::string_view status) {
    std::string names;
    for (const auto& [name, granted] : capabilities_in(status)) {
      if (granted) names += std::string(name) + " ";
    }
    return names;
  };
  EXPECT_EQ(of("Name:\tx\nCapPrm:\t0000000000000004\nCapEff:\t0000000000000000\n"),
            "DAC_READ_SEARCH ");
  EXPECT_EQ(of("Name:\tx\nCapPrm:\t000000c000000006\n"),
            "BPF DAC_OVERRIDE DAC_READ_SEARCH PERFMON ");
  EXPECT_TRUE(capabilities_in("Name:\tx\n").empty());
  EXPECT_TRUE(capabilities_in("\nCapPrm:\tzz").empty());
}

TEST(GrantedCapabilities, EachHasItsRowInTheDocs) {
  std::ifstream file(std::string(SOURCE_DIR) + "/docs/permissions.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  const Capabilities all = granted_capabilities();
  ASSERT_FALSE(all.empty());
  for (const auto& [name, granted] : all) {
    EXPECT_NE(docs.find("\n| `" + std::string(name) + "` | "), std::string::npos) << name;
  }
}

TEST(EventLoop, TimersFireInOrderAndCanBeCancelled) {
  EventLoop loop;
  std::string order;
  using namespace std::chrono_literals;
  // So far apart that a machine which pauses between the two calls doesn't swap them.
  loop.after(800ms, [&] {
    order += 'b';
    loop.stop();
  });
  loop.after(0ms, [&] { order += 'a'; });
  const auto never = loop.after(1ms, [&] { order += 'x'; });
  loop.cancel(never);
  loop.run();
  EXPECT_EQ(order, "ab");
}

}  // namespace
}  // namespace volumeter
