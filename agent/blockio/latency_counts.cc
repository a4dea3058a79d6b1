#include "blockio/latency_counts.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace volumeter {

// Below 128 each nanosecond has its bucket; from there on each power of two has 64.
std::size_t LatencyCounts::bucket_of(std::uint64_t ns) {
  const auto width = static_cast<unsigned>(std::bit_width(ns));
  if (width <= kBits + 1) return ns;
  const unsigned dropped = width - kBits - 1;
  const std::size_t group = std::size_t{dropped + 1} << kBits;
  const std::size_t bucket = group + ((ns >> dropped) & ((1U << kBits) - 1));
  return std::min(bucket, (kGroups << kBits) - 1);
}

std::uint64_t LatencyCounts::middle_of(std::size_t bucket) {
  if (bucket < (2U << kBits)) return bucket;
  const std::size_t dropped = (bucket >> kBits) - 1;
  const std::uint64_t first = ((std::uint64_t{1} << kBits) + (bucket & ((1U << kBits) - 1)))
                              << dropped;
  return first + (std::uint64_t{1} << dropped) / 2;
}

void LatencyCounts::add(std::uint64_t ns) {
  ++counts_[bucket_of(ns)];
  ++count_;
  min_ = std::min(min_, ns);
  max_ = std::max(max_, ns);
  const double value = static_cast<double>(ns);
  const double distance = value - mean_;
  mean_ += distance / static_cast<double>(count_);
  squares_ += distance * (value - mean_);
}

double LatencyCounts::deviation() const {
  return count_ < 2 ? 0 : std::sqrt(squares_ / static_cast<double>(count_ - 1));
}

std::uint64_t LatencyCounts::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = percent / 100 * static_cast<double>(count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (counts_[i] > 0 && static_cast<double>(seen) >= wanted) {
      return std::clamp(middle_of(i), min_, max_);
    }
  }
  return max_;
}

std::uint64_t LatencyCounts::above(std::uint64_t ns) const {
  std::uint64_t sum = 0;
  for (std::size_t i = bucket_of(ns) + 1; i < counts_.size(); ++i) sum += counts_[i];
  return sum;
}

}  // namespace volumeter
