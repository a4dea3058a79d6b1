// How often which latency was seen, to 1.6 %: the buckets of fio's percentiles (fio: stat.h,
// FIO_IO_U_PLAT_BITS), so that the same samples give the same figures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace volumeter {

class LatencyCounts {
 public:
  void add(std::uint64_t ns);
  void clear() { *this = {}; }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t min() const { return count_ == 0 ? 0 : min_; }  // ns
  [[nodiscard]] std::uint64_t max() const { return max_; }                    // ns
  [[nodiscard]] double mean() const { return mean_; }                         // ns
  [[nodiscard]] double deviation() const;  // ns; of the samples, as fio divides: by count - 1
  // The middle of the bucket that holds it, in ns; 0 without samples. `percent` from 0 to 100.
  [[nodiscard]] std::uint64_t percentile(double percent) const;
  // Samples above `ns`, to the bucket.
  [[nodiscard]] std::uint64_t above(std::uint64_t ns) const;

 private:
  static constexpr unsigned kBits = 6;
  static constexpr std::size_t kGroups = 40;  // to 2^45 ns, nine hours
  static std::size_t bucket_of(std::uint64_t ns);
  static std::uint64_t middle_of(std::size_t bucket);

  std::array<std::uint64_t, kGroups << kBits> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t min_ = UINT64_MAX;
  std::uint64_t max_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // sum of squared distances from the mean (Welford)
};

}  // namespace volumeter
