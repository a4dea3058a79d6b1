// What the recorded node exports, compared with a checked-in file, and read by promtool.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <regex>
#include <set>

#include "collect/alert_wishes.h"
#include "collect/inventory_metrics.h"
#include "collect/probe_record.h"
#include "collect/self_metrics.h"
#include "collect/snapshot_builder.h"
#include "collect/workload_fit.h"
#include "exposition/json.h"
#include "exposition/page.h"
#include "exposition/rows.h"
#include "exposition/table.h"
#include "exposition/text.h"
#include "measure/io/io.h"
#include "support/process.h"
#include "support/recorded_node.h"

namespace volumeter {
namespace {

class GoldenTest : public testing::Test {
 protected:
  GoldenTest() {
    const auto inventory = build_inventory(node_.input());
    SnapshotInput input = node_.measured(inventory, measurers_, now_);
    input.sources = {{"mountinfo", true, now_, ""}, {"apiserver", false, now_, "HTTP 403"}};
    snapshot_ = build_snapshot(measurers_, input);
  }

  std::string exposition() {
    MeasurementSet live;
    add_diskstats(test::read_fixture("recorded-node/diskstats.txt"), *snapshot_->inventory, live);
    add_block_devices(*snapshot_->inventory, live);
    return TextExposition().render(*snapshot_, live);
  }

  test::RecordedNode node_;
  Measurers measurers_ = make_all_measurers(node_.host());
  WallTime now_{std::chrono::seconds(1'795'185'000)};
  std::shared_ptr<Snapshot> snapshot_;
};

TEST_F(GoldenTest, MetricsOfTheRecordedNode) {
  EXPECT_EQ(test::diff_golden("recorded-node/metrics.golden.txt", exposition()), "");
}

// Claims that two pods share, a pod that has just gone, subPaths, CSI drivers with and without
// staging, block volumes: as it should be, all of it.
TEST_F(GoldenTest, TheRecordedNodesOdditiesAreNoAlarm) {
  for (std::size_t i = 0; i < snapshot_->volumes.size(); ++i) {
    for (const Finding& finding : snapshot_->volumes[i].findings) {
      EXPECT_EQ(finding.kind, FindingKind::kSharing)
          << snapshot_->inventory->volumes[i].path << ": " << finding.text;
    }
  }
  std::size_t compared = 0;
  for (const Volume& volume : snapshot_->inventory->volumes) {
    compared += static_cast<std::size_t>(volume.promises.compared);
  }
  EXPECT_GE(compared, 20U) << "but promises were held against what is mounted";
  ASSERT_TRUE(snapshot_->inventory->orphans);
  for (const Orphan& orphan : *snapshot_->inventory->orphans) {
    ADD_FAILURE() << to_string(orphan.kind) << " " << orphan.path << " " << orphan.device;
  }
}

TEST_F(GoldenTest, PromtoolAcceptsIt) {
  if (test::run({"promtool", "--version"}).code != 0) GTEST_SKIP() << "promtool isn't installed";
  const std::string path = testing::TempDir() + "/metrics.txt";
  std::ofstream(path) << exposition();
  const test::Output checked = test::run({"sh", "-c", "promtool check metrics < " + path});
  EXPECT_EQ(checked.code, 0) << checked.text;
  std::remove(path.c_str());
}

TEST_F(GoldenTest, TablesOfTheRecordedNode) {
  const auto rows = to_rows(*snapshot_, now_ + std::chrono::seconds(7));
  EXPECT_EQ(test::diff_golden("recorded-node/df.golden.txt", to_table(rows, false)), "");
  EXPECT_EQ(test::diff_golden("recorded-node/df-wide.golden.txt", to_table(rows, true)), "");
}

TEST_F(GoldenTest, JsonFitsItsSchema) {
  const std::string path = testing::TempDir() + "/volumes.json";
  std::ofstream(path) << to_json(*snapshot_, to_rows(*snapshot_, now_));
  const std::string schema = std::string(SOURCE_DIR) + "/docs/volumes.schema.json";
  if (test::run({"/usr/bin/python3", "-c", "import jsonschema"}).code != 0) {
    GTEST_SKIP() << "python3-jsonschema isn't installed";
  }
  const test::Output checked =
      test::run({"/usr/bin/python3", "-m", "jsonschema", "-i", path, schema});
  EXPECT_EQ(checked.code, 0) << checked.text;
  std::remove(path.c_str());
}

TEST_F(GoldenTest, SharedVolumesReportNobodyElsesBytes) {
  const std::string text = exposition();
  // The root disk's 264212084 KiB belong to its filesystem series and to no volume.
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("270553174016") == std::string::npos) continue;
    EXPECT_TRUE(line.starts_with("volumeter_filesystem_")) << line;
  }
}

// Both lie on one ext4, where the kubelet gives each 25.0 MiB of 182; and this one on the root
// disk, where it gives 28 GiB of 252.
TEST_F(GoldenTest, VolumesThatShareAFilesystemHaveTheirOwnNumbers) {
  const std::string text = exposition();
  const auto value = [&](const std::string& family, const std::string& claim) {
    const std::string series = "volumeter_volume_" + family +
                               "{namespace=\"demo\",persistentvolumeclaim=\"" + claim + "\"} ";
    const auto at = text.find("\n" + series);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + 1 + series.size()));
  };
  EXPECT_EQ(value("stats_used_bytes", "local-sub-a"), (20 << 20) + 4096);
  EXPECT_EQ(value("stats_used_bytes", "local-sub-b"), (5 << 20) + 4096);
  EXPECT_EQ(value("stats_capacity_bytes", "local-sub-a"), 50 << 20);
  EXPECT_NEAR(value("usage_ratio", "local-sub-a"), 0.4, 0.001);
  EXPECT_LT(value("stats_used_bytes", "local-rootdir"), 70 << 20);
  EXPECT_EQ(value("stats_capacity_bytes", "local-rootdir"), 70 << 20);
  EXPECT_EQ(value("capacity_enforced", "local-rootdir"), 0) << "a promise that nobody enforces";
  EXPECT_EQ(value("capacity_enforced", "local-ext4"), 1);
  // The kubelet's own du of this emptyDir found 25608 KiB.
  EXPECT_NE(
      text.find("volumeter_pod_volume_stats_used_bytes{namespace=\"demo\",pod=\"kitchen-sink\","
                "volume=\"ed\",type=\"emptyDir\"} " +
                std::to_string(25608 << 10)),
      std::string::npos);
  EXPECT_EQ(value("stats_available_bytes", "local-sub-a"), -1) << "the neighbour may take it";
}

// Each family, of every measurer, has its row in docs/metrics.md.
TEST_F(GoldenTest, EveryMetricIsDocumented) {
  std::ifstream file(std::string(SOURCE_DIR) + "/docs/metrics.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  std::set<std::string> names;
  for (const auto& measurer : measurers_) {
    for (const MetricDesc* desc : measurer->families()) names.insert(desc->name);
  }
  for (const MetricDesc* desc : inventory_metric_families()) names.insert(desc->name);
  for (const MetricDesc* desc : self_metric_families()) names.insert(desc->name);
  for (const MetricDesc* desc : ProbeReport::families()) names.insert(desc->name);
  for (const MetricDesc* desc : WorkloadFit::families()) names.insert(desc->name);
  for (const MetricDesc* desc : alert_wish_families()) names.insert(desc->name);
  for (const std::string& name : names) {
    EXPECT_NE(docs.find("| `" + name + "`"), std::string::npos) << name << " has no row";
  }
  // And nothing is exported that isn't declared, nor documented that doesn't exist.
  const std::string text = exposition();
  const std::regex type("# TYPE (\\S+) ");
  for (std::sregex_iterator it(text.begin(), text.end(), type), end; it != end; ++it) {
    EXPECT_TRUE(names.contains((*it)[1])) << (*it)[1] << " is exported and not declared";
  }
  const std::regex row("\n\\| `([a-z_]+)` \\| (gauge|counter|histogram) ");
  for (std::sregex_iterator it(docs.begin(), docs.end(), row), end; it != end; ++it) {
    EXPECT_TRUE(names.contains((*it)[1])) << (*it)[1] << " is documented and doesn't exist";
  }
}

TEST_F(GoldenTest, ThePageShowsEachVolumeWithItsBar) {
  const std::string page =
      to_page(*snapshot_, to_rows(*snapshot_, now_), {"node1", "/metrics", {}});
  EXPECT_NE(page.find("data-pg-0"), std::string::npos);
  EXPECT_NE(page.find("class=\"bar fine\""), std::string::npos);
  EXPECT_NE(page.find("class=\"m80\""), std::string::npos);
  EXPECT_NE(page.find("Source <strong>apiserver</strong> is down: HTTP 403"), std::string::npos);
  EXPECT_EQ(page.find("<script", page.find("<body")), std::string::npos);
}

}  // namespace
}  // namespace volumeter
