#include "collect/walk_store.h"

#include <gtest/gtest.h>

namespace volumeter {
namespace {

StoredWalk example() {
  StoredWalk walk;
  walk.target = {{254, 7}, "/a\xff\n\"b", "/mnt/\xc3\xa9", "", false, "x/y", false};
  walk.use.method = UsageMethod::kWalk;
  walk.use.bytes = 1ULL << 40U;
  walk.use.entries = 12;
  walk.use.inodes = 11;
  walk.use.inode = 99;
  walk.use.measured_at = WallTime(std::chrono::microseconds(1'795'000'000'123'456));
  walk.use.last_write = WallTime(std::chrono::seconds(-5));
  walk.use.took = std::chrono::duration<double>(2.5);
  walk.use.estimated = true;
  return walk;
}

TEST(WalkStore, WhatIsKeptComesBack) {
  const StoredWalk before = example();
  const auto walks = parse_walks(format_walks({before}, "boot-1"), "boot-1");
  ASSERT_TRUE(walks);
  ASSERT_EQ(walks->size(), 1U);
  const StoredWalk& after = walks->front();
  EXPECT_EQ(after.target, before.target) << "names are bytes";
  EXPECT_EQ(after.use.bytes, before.use.bytes);
  EXPECT_EQ(after.use.entries, before.use.entries);
  EXPECT_EQ(after.use.inodes, before.use.inodes);
  EXPECT_EQ(after.use.inode, before.use.inode);
  EXPECT_EQ(after.use.measured_at, before.use.measured_at);
  EXPECT_EQ(after.use.last_write, before.use.last_write);
  EXPECT_EQ(after.use.took, before.use.took);
  EXPECT_TRUE(after.use.estimated);
}

TEST(WalkStore, AnotherBootsResultsAreNotUsed) {
  const auto walks = parse_walks(format_walks({example()}, "boot-1"), "boot-2");
  ASSERT_TRUE(walks);
  EXPECT_TRUE(walks->empty());
}

TEST(WalkStore, OneThatMakesNoSenseCostsOnlyItself) {
  std::string text = format_walks({example(), example()}, "b");
  text.replace(text.find("\"bytes\": 1099511627776"), 22, "\"bytes\": -1");
  const auto walks = parse_walks(text, "b");
  ASSERT_TRUE(walks);
  EXPECT_EQ(walks->size(), 1U);
  for (const char* bad : {"", "[]", "{}", "{\"walks\":3}", "{\"walks\":[],\"version\":2}", "nul"}) {
    EXPECT_FALSE(parse_walks(bad, "b")) << bad;
  }
}

}  // namespace
}  // namespace volumeter
