// The monotonic clock as a number: for memory that processes share, and for the hot paths.
#pragma once

#include <cstdint>
#include <ctime>

namespace volumeter {

// CLOCK_MONOTONIC, in ns. No system call where the vDSO has it.
inline std::uint64_t monotonic_ns() {
  timespec ts{};
  ::clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(ts.tv_nsec);
}

}  // namespace volumeter
