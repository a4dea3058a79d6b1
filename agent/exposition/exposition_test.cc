#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <limits>

#include "exposition/gzip.h"
#include "exposition/page.h"
#include "exposition/rows.h"
#include "exposition/table.h"
#include "exposition/text.h"

namespace volumeter {
namespace {

const MetricDesc kGauge = {"volumeter_test_a", "Help.", MetricType::kGauge, {"name"}};
const MetricDesc kCounter = {"volumeter_test_b_total", "Help.", MetricType::kCounter, {}};

std::string gunzip(const std::string& compressed) {
  z_stream z{};
  inflateInit2(&z, 15 + 16);  // one gzip member and no more
  std::string out(1 << 20, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  z.avail_in = static_cast<uInt>(compressed.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int code = inflate(&z, Z_FINISH);
  EXPECT_EQ(code, Z_STREAM_END);
  EXPECT_EQ(z.avail_in, 0U) << "nothing after the stream's end";
  out.resize(z.total_out);
  inflateEnd(&z);
  return out;
}

Snapshot snapshot_of(double value) {
  Snapshot snapshot;
  snapshot.measurements.add(kGauge, std::vector<std::string>{"x"}, value);
  return snapshot;
}

TEST(Text, LabelValuesAreEscaped) {
  MeasurementSet set;
  set.add(kGauge, std::vector<std::string>{"a\"b\\c\nd"}, 1);
  EXPECT_NE(serialize(set.families()[0]).find(R"(name="a\"b\\c\nd")"), std::string::npos);
}

TEST(Text, ChangedValuesAreSeenThroughTheCache) {
  TextExposition text;
  MeasurementSet live;
  EXPECT_NE(text.render(snapshot_of(1), live).find("} 1\n"), std::string::npos);
  EXPECT_NE(text.render(snapshot_of(1), live).find("} 1\n"), std::string::npos);
  EXPECT_NE(text.render(snapshot_of(2), live).find("} 2\n"), std::string::npos);
  EXPECT_EQ(text.render(Snapshot{}, live), "") << "a family that left is gone";
}

// The same labels with other values take a shorter way: what comes out must be the serializer's.
TEST(Text, RewrittenValuesAreTheSerializersOwn) {
  const std::vector<double> values = {0,
                                      1,
                                      -1,
                                      0.1,
                                      1.0 / 3,
                                      1e15,
                                      1e16,
                                      123456789012345678.0,
                                      1795191024.341552,
                                      5e-324,
                                      1e300,
                                      -0.0,
                                      270553174016,
                                      0.8500061035156250,
                                      std::numeric_limits<double>::infinity(),
                                      std::nan("")};
  const Labels x = make_labels({"x\n 5\n"});
  const Labels y = make_labels({"y"});
  TextExposition cached;
  for (const double a : values) {
    for (const double b : values) {
      Snapshot snapshot;
      snapshot.measurements.add(kGauge, x, a);
      snapshot.measurements.add(kGauge, y, b);
      EXPECT_EQ(cached.render(snapshot, {}), TextExposition().render(snapshot, {}));
    }
  }
}

TEST(Text, CompressedIsTheSameText) {
  TextExposition text;
  MeasurementSet live;
  live.add(kCounter, std::vector<std::string>{}, 7);
  for (const double value : {1.0, 1.0, 3.0}) {
    EXPECT_EQ(gunzip(text.render_gzip(snapshot_of(value), live)),
              TextExposition().render(snapshot_of(value), live));
  }
}

TEST(Text, AFamilyInBothPartsAppearsOnce) {
  MeasurementSet live;
  live.add(kGauge, std::vector<std::string>{"y"}, 2);
  const std::string text = TextExposition().render(snapshot_of(1), live);
  EXPECT_EQ(text.find("# TYPE"), text.rfind("# TYPE"));
  EXPECT_NE(text.find("name=\"y\""), std::string::npos);
}

TEST(Gzip, OfEmptyAndLargeTexts) {
  EXPECT_EQ(gunzip(gzip("")), "");
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * 7919) + "\n";
  EXPECT_EQ(gunzip(gzip(text)), text);
}

TEST(Human, NumbersAreShortAndUnknownIsADash) {
  EXPECT_EQ(human_bytes(std::nullopt), "-");
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(64ULL << 20U), "64 MiB");
  EXPECT_EQ(percent(0.35), "35%");
  EXPECT_EQ(percent(0.901), "91%") << "rounded up, as df does";
  EXPECT_EQ(human_age(61.0), "61s");
  EXPECT_EQ(human_age(7300.0), "2h");
}

Row hostile_row() {
  Row row;
  row.namespace_ = "ns";
  row.pod = "<script>alert(1)</script>";
  row.volume = "\"v'&";
  row.claim = "c";
  row.type = "csi";
  row.problem = "<b>";
  return row;
}

TEST(Page, NamesCannotBreakOut) {
  Snapshot snapshot;
  const std::string page = to_page(
      snapshot, {hostile_row()}, {.node = "<node>", .metrics_path = "/metrics", .name_space = {}});
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_EQ(page.find("<node>"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
}

Row row_of(const std::string& name_space, const std::string& claim) {
  Row row;
  row.namespace_ = name_space;
  row.pod = "p";
  row.claim = claim;
  row.type = "csi";
  return row;
}

TEST(Page, ShowsOneNamespaceWhereAsked) {
  const std::vector<Row> rows = {row_of("shop", "orders"), row_of("infra", "registry")};
  const auto page = [&](const std::string& name_space) {
    return to_page({}, rows, {"n", "/metrics", name_space});
  };
  EXPECT_NE(page("").find("registry"), std::string::npos);
  EXPECT_EQ(page("shop").find("registry"), std::string::npos);
  EXPECT_NE(page("shop").find("<option value=\"shop\" selected>"), std::string::npos);
  EXPECT_NE(page("shop").find("<option value=\"infra\">"), std::string::npos);
  EXPECT_NE(page("<b>").find("No volume here belongs to namespace &lt;b&gt;."), std::string::npos);
}

TEST(Page, WhatIsNearlyFullComesBeforeWhatIsFine) {
  Row full = row_of("shop", "full");
  full.state = RowState::kOk;
  full.usage.used = 95;
  full.usage.available = 5;
  Row roomy = row_of("shop", "roomy");
  roomy.state = RowState::kOk;
  roomy.usage.used = 20;
  roomy.usage.available = 80;
  const std::string page = to_page({}, {roomy, full}, {"n", "/metrics", {}});
  EXPECT_LT(page.find("<strong>full"), page.find("<strong>roomy"));
  EXPECT_NE(page.find("over 90 %</span>"), std::string::npos) << "not \"ok\" beside a red bar";
}

TEST(Table, ColumnsThatSayNothingAreLeftOutAndProblemsAreSpelledOut) {
  Row row;
  row.volume = "/";
  row.type = "filesystem";
  row.problem = "why";
  const std::string table = to_table({row}, false);
  EXPECT_EQ(table.find("NAMESPACE"), std::string::npos);
  EXPECT_NE(table.find("STATE"), std::string::npos);
  EXPECT_NE(table.find("/: why\n"), std::string::npos);
}

}  // namespace
}  // namespace volumeter
