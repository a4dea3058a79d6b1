// What a benchmark's figures can't vouch for: sentences for people, each of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "benchmark/target.h"

namespace volumeter {

// Of the target and this process, whatever is run there.
std::vector<std::string> caveats_of(const BenchTarget& target);
// Of jobs that share a file of `size` bytes.
std::vector<std::string> caveats_of(const BenchTarget& target, const TestFile& file,
                                    std::uint64_t size);
// Whether the file's I/O has gone to the disk at all; empty when it has. Ask once, at the end.
std::string cache_caveat(const BenchTarget& target, const TestFile& file);

// Limits of this process's cgroups, as the kernel's files say them: "io.max: 8:0 riops=100". Of
// I/O those on `device` only, or on any where its number is anonymous.
std::vector<std::string> cgroup_limits(const std::string& cgroups, const std::string& sysfs,
                                       const std::vector<DeviceNumber>& devices);

}  // namespace volumeter
