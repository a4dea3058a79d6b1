#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>

#include "blockio/io_engine.h"
#include "blockio/latency_counts.h"
#include "blockio/test_file.h"

namespace volumeter {
namespace {

TEST(LatencyCounts, FindsPercentilesWithinABucket) {
  LatencyCounts counts;
  for (std::uint64_t i = 1; i <= 100'000; ++i) counts.add(i * 1000);
  EXPECT_EQ(counts.count(), 100'000U);
  EXPECT_EQ(counts.min(), 1000U);
  EXPECT_EQ(counts.max(), 100'000'000U);
  EXPECT_NEAR(counts.mean(), 50'000'500, 1);
  EXPECT_NEAR(counts.deviation(), 100'000'000 / std::sqrt(12), 10'000);
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9}) {
    EXPECT_NEAR(static_cast<double>(counts.percentile(percent)), percent * 1'000'000,
                percent * 1'000'000 * 0.01)
        << percent;
  }
  EXPECT_NEAR(static_cast<double>(counts.above(90'000'000)), 10'000, 900);
}

TEST(LatencyCounts, TakesAnyNumber) {
  LatencyCounts counts;
  EXPECT_EQ(counts.percentile(99), 0U);
  for (const std::uint64_t ns :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, UINT64_MAX}) {
    counts.add(ns);
  }
  EXPECT_EQ(counts.percentile(25), 0U);
  EXPECT_EQ(counts.percentile(50), 127U);
  EXPECT_EQ(counts.min(), 0U);
  EXPECT_EQ(counts.max(), UINT64_MAX);
}

class Engines : public testing::TestWithParam<Result<std::unique_ptr<IoEngine>> (*)(unsigned)> {};

TEST_P(Engines, WriteSyncAndReadBack) {
  auto engine = GetParam()(8);
  if (!engine) GTEST_SKIP() << engine.error().message;
  IoEngine& io = **engine;
  const UniqueFd file(::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file);
  const DirectBuffer written(8 * 4096);
  const DirectBuffer read(8 * 4096);
  const auto run_all = [&](IoKind kind, const DirectBuffer& buffer) {
    for (std::uint64_t i = 0; i < 8; ++i) {
      EXPECT_EQ(io.submit(file.get(), {kind, i * 4096, 4096, buffer.data() + i * 4096, i}), 0);
    }
    EXPECT_EQ(io.submit(file.get(), {kind, 0, 4096, buffer.data(), 9}), EAGAIN);
    std::array<IoCompletion, 8> done{};
    std::uint64_t tags = 0;
    for (std::size_t count = 0; count < 8;) {
      const std::size_t got = io.reap(done, true);
      for (std::size_t i = 0; i < got; ++i) {
        EXPECT_EQ(done[i].result, 4096);
        tags |= std::uint64_t{1} << done[i].tag;
      }
      count += got;
    }
    EXPECT_EQ(tags, 0xFFU);
    EXPECT_EQ(io.reap(done, true), 0U);
  };
  run_all(IoKind::kDurableWrite, written);
  std::array<IoCompletion, 1> synced{};
  ASSERT_EQ(io.submit(file.get(), {IoKind::kDataSync, 0, 0, nullptr, 7}), 0);
  while (io.reap(synced, true) == 0) {
  }
  EXPECT_EQ(synced[0].tag, 7U);
  EXPECT_EQ(synced[0].result, 0);
  run_all(IoKind::kRead, read);
  EXPECT_EQ(std::memcmp(written.data(), read.data(), read.size()), 0);
}

TEST_P(Engines, SayWhatTheKernelRefuses) {
  auto engine = GetParam()(1);
  if (!engine) GTEST_SKIP() << engine.error().message;
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const DirectBuffer buffer(4096);
  // By AIO at once, by io_uring at completion.
  const int error = (*engine)->submit(file.get(), {IoKind::kWrite, 0, 4096, buffer.data(), 1});
  std::array<IoCompletion, 1> done{};
  if (error == 0) {
    ASSERT_EQ((*engine)->reap(done, true), 1U);
  }
  EXPECT_EQ(error == 0 ? -done[0].result : error, EBADF);
}

INSTANTIATE_TEST_SUITE_P(All, Engines, testing::Values(make_uring_engine, make_aio_engine));

}  // namespace
}  // namespace volumeter
