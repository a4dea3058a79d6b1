#include "config/config.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "benchmark/job.h"
#include "measure/all.h"
#include "volumeter/duration.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;

ParsedConfig parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "volumeter");
  return parse_config(static_cast<int>(arguments.size()), arguments.data(), {"usage", "io"});
}

TEST(Config, DefaultsAreTheDocumentedOnes) {
  const ParsedConfig parsed = parse({"agent"});
  ASSERT_FALSE(parsed.exit) << parsed.message;
  EXPECT_EQ(parsed.config.interval, 15s);
  EXPECT_EQ(parsed.config.stale_after, 10min);
  EXPECT_EQ(parsed.config.listen, std::vector<std::string>{":10098"});
  EXPECT_TRUE(parsed.config.disabled_measurers.empty());
}

TEST(Config, FlagsBeforeAndAfterTheSubcommand) {
  EXPECT_EQ(parse({"--interval=5s", "agent"}).config.interval, 5s);
  EXPECT_EQ(parse({"agent", "--interval", "1m30s"}).config.interval, 90s);
  const auto two = parse({"agent", "--web.listen-address=:1", "--web.listen-address=[::1]:2"});
  EXPECT_EQ(two.config.listen, (std::vector<std::string>{":1", "[::1]:2"}));
  EXPECT_TRUE(parse({"agent", "--no-measure.io"}).config.disabled_measurers.contains("io"));
  EXPECT_EQ(parse({"df", "-o", "json"}).config.output, Output::kJson);
}

TEST(Config, MistakesExit2AndNameTheCulpritAndWhatIsAllowed) {
  struct Case {
    std::vector<const char*> arguments;
    const char* culprit;
    const char* allowed;
  };
  for (const Case& c : {Case{{"agent", "--nonsense"}, "--nonsense", "--help"},
                        Case{{"agent", "--interval=soon"}, "--interval", "15s"},
                        Case{{"agent", "--interval=0s"}, "--interval", "15s"},
                        Case{{"agent", "--log.level=loud"}, "--log.level", "debug"},
                        Case{{"df", "-o", "xml"}, "--output", "json"},
                        Case{{"agent", "--web.telemetry-path=m"}, "--web.telemetry-path", "/"},
                        Case{{"agent", "--worker.deadline=1m"}, "--worker.deadline", "shorter"},
                        Case{{"frobnicate"}, "frobnicate", "agent, df, du, bench or check"},
                        Case{{}, "subcommand", "agent, df, du, bench or check"}}) {
    const ParsedConfig parsed = parse(c.arguments);
    EXPECT_EQ(parsed.exit_code, 2) << parsed.message;
    EXPECT_NE(parsed.message.find(c.culprit), std::string::npos) << parsed.message;
    EXPECT_NE(parsed.message.find(c.allowed), std::string::npos) << parsed.message;
  }
}

TEST(Config, HelpAndVersionExit0) {
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  EXPECT_TRUE(parse({"--help"}).exit);
  EXPECT_NE(parse({"--version"}).message.find("volumeter "), std::string::npos);
}

TEST(Config, CommandLineOverEnvironmentOverFile) {
  const std::string path = testing::TempDir() + "/volumeter.conf";
  std::ofstream(path) << "interval=7s\nstale-after=7m\nlog.level=warn\npath.kubelet=/k\n";
  ::setenv("VOLUMETER_INTERVAL", "8s", 1);
  ::setenv("VOLUMETER_STALE_AFTER", "8m", 1);
  const std::string file = "--config.file=" + path;
  const ParsedConfig parsed = parse({"agent", "--interval=9s", file.c_str()});
  ::unsetenv("VOLUMETER_INTERVAL");
  ::unsetenv("VOLUMETER_STALE_AFTER");
  std::remove(path.c_str());
  ASSERT_FALSE(parsed.exit) << parsed.message;
  EXPECT_EQ(parsed.config.interval, 9s);
  EXPECT_EQ(parsed.config.stale_after, 8min);
  EXPECT_EQ(parsed.config.log_level, LogLevel::kWarn);
  EXPECT_EQ(parsed.config.host.kubelet, "/k");
}

TEST(Config, AMistakeInTheEnvironmentOrTheFileIsNamedToo) {
  ::setenv("VOLUMETER_INTERVAL", "never", 1);
  EXPECT_EQ(parse({"agent"}).exit_code, 2);
  ::unsetenv("VOLUMETER_INTERVAL");
  const std::string path = testing::TempDir() + "/bad.conf";
  std::ofstream(path) << "frob.nicate=1\n";
  const std::string file = "--config.file=" + path;
  const ParsedConfig parsed = parse({"agent", file.c_str()});
  std::remove(path.c_str());
  EXPECT_EQ(parsed.exit_code, 2);
  EXPECT_NE(parsed.message.find("frob.nicate"), std::string::npos) << parsed.message;
}

TEST(Duration, NonsenseIsRefused) {
  for (const char* text : {"", "5", "s", "5x", "-5s", "5s5", "99999999999s", "1h-"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
}

// Each flag has its row, with its environment variable, in docs/flags.md.
TEST(Config, EveryFlagIsDocumented) {
  std::ifstream file(std::string(SOURCE_DIR) + "/docs/flags.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  for (const std::string& flag : flag_names({"usage", "io"})) {
    EXPECT_NE(docs.find("| `" + flag + "`"), std::string::npos) << flag << " has no row";
    if (flag != "--config.file") {
      EXPECT_NE(docs.find("`" + environment_name(flag) + "`"), std::string::npos) << flag;
    }
  }
}

// docs/configuration.md is written from the flags themselves: UPDATE_GOLDEN=1 does so.
TEST(Config, TheReferenceIsWhatTheFlagsSay) {
  const std::string path = std::string(SOURCE_DIR) + "/docs/configuration.md";
  std::vector<std::string> names;
  for (const auto& measurer : make_all_measurers(HostPaths{})) names.emplace_back(measurer->name());
  std::vector<std::string> profiles;
  for (const JobSpec& profile : all_profiles()) profiles.push_back(profile.name);
  const std::string reference = flag_reference(names, profiles);
  std::ifstream file(path);
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  const auto begin = docs.find("## Flags of");
  ASSERT_NE(begin, std::string::npos);
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << docs.substr(0, begin) << reference;
    return;
  }
  EXPECT_EQ(docs.substr(begin), reference);
}

}  // namespace
}  // namespace volumeter
