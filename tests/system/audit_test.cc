// What volumeter writes to volumes is in its audit log, and before that in none of them.
#include <sys/stat.h>

#include <fstream>

#include "probe_fixture.h"

namespace volumeter::test {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class AuditTest : public ProbeTest {
 protected:
  void SetUp() override {
    ProbeTest::SetUp();
    if (!IsSkipped()) path = node->directory() + "/audit.log";
  }
  std::string path;
};

TEST_F(AuditTest, EachPulseAndBurstIsThereAndSaysWhoAsked) {
  probed("db", "ext4", std::string(kOn) + R"(,"volumeter.io/burst":"on")");
  start({"--audit.log=" + path, "--probe.burst-interval=2s"});
  ASSERT_TRUE(eventually(
      [&] { return has("probe_burst_operations_per_second", "db", ",operation=\"read\""); }, 60s))
      << agent->get("/metrics").body;
  const auto measured = static_cast<std::size_t>(writes("db"));
  const std::string text = read_all(path);
  EXPECT_GE(count(text, "\"a pulse writes to a volume\""), measured);
  EXPECT_GE(count(text, "\"a burst writes to a volume\""), 1U) << text;
  EXPECT_NE(text.find(R"(volume="shop/db")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(asked_by="PersistentVolumeClaim")"), std::string::npos) << text;
}

TEST_F(AuditTest, WhatIsOnlyReadIsNotThere) {
  probed("db", "ext4", R"("volumeter.io/probe":"read-only")");
  start({"--audit.log=" + path});
  ASSERT_TRUE(eventually([&] { return reads("db") >= 2; }));
  EXPECT_EQ(read_all(path), "");
}

TEST_F(AuditTest, WithoutAFileItIsOnStandardError) {
  probed("db", "ext4");
  start();
  EXPECT_TRUE(eventually([&] {
    return agent->log().find(R"(msg="a pulse writes to a volume" volume="shop/db")") !=
           std::string::npos;
  })) << agent->log();
}

TEST_F(AuditTest, BenchmarksAreThereBeforeTheyWrite) {
  const std::string where = node->csi_dir("u", "v");
  node->mount_image(node->image("ext4", 200 << 20), "ext4", where);
  const Output bench = run({VOLUMETER_PATH, "--audit.log=" + path, "bench", where, "--profile",
                            "fsync", "--runtime", "100ms", "--ramp", "1ms", "--size", "16M"});
  ASSERT_EQ(bench.code, 0) << bench.text;
  const Output check = run({VOLUMETER_PATH, "--audit.log=" + path, "check", where, "--for", "redis",
                            "--runtime", "100ms"});
  ASSERT_NE(check.code, 2) << check.text;
  const std::string text = read_all(path);
  EXPECT_NE(text.find(R"(path=")" + where + R"(" command="bench")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(command="check")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(file_bytes="16777216")"), std::string::npos) << text;
}

// In a Job's log both outputs are one.
TEST_F(AuditTest, JsonStaysJson) {
  const std::string where = node->csi_dir("u", "v");
  node->mount_image(node->image("ext4", 200 << 20), "ext4", where);
  const std::vector<std::string> bench = {VOLUMETER_PATH, "bench",     where,   "--profile",
                                          "fsync",        "--runtime", "100ms", "--ramp",
                                          "1ms",          "--size",    "16M"};
  EXPECT_NE(run(bench).text.find("msg=\"a benchmark writes to a volume\""), std::string::npos);
  std::vector<std::string> as_json = bench;
  as_json.insert(as_json.end(), {"-o", "json"});
  const std::string text = run(as_json).text;
  EXPECT_TRUE(text.starts_with("{")) << text;
  EXPECT_EQ(text.find("a benchmark writes"), std::string::npos) << text;
}

TEST_F(AuditTest, AFileThatCannotBeOpenedIsAWrongFlag) {
  const Output out = run({VOLUMETER_PATH, "--audit.log=" + node->directory(), "bench", "/tmp"});
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("--audit.log"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find(node->directory()), std::string::npos) << out.text;
}

}  // namespace
}  // namespace volumeter::test
