#include <algorithm>

#include "benchmark/job.h"

namespace volumeter {
namespace {

JobSpec profile(const char* name, bool random, double reads, std::uint32_t block, unsigned depth) {
  JobSpec spec;
  spec.name = name;
  spec.random = random;
  spec.reads = reads;
  spec.block = block;
  spec.depth = depth;
  return spec;
}

}  // namespace

std::vector<JobSpec> all_profiles() {
  constexpr std::uint32_t kPage = 4096;
  constexpr std::uint32_t kStream = 1 << 20;
  JobSpec fsync = profile("fsync", false, 0, kPage, 1);
  fsync.sync = true;
  // A write-ahead log as etcd's: fio --rw=write --ioengine=sync --fdatasync=1 --bs=2300, as its
  // documentation measures disks (etcd.io, "Hardware recommendations").
  JobSpec etcd = profile("etcd", false, 0, 2300, 1);
  etcd.sync = etcd.extends = etcd.plain = true;
  etcd.direct = false;
  return {profile("randread", true, 1, kPage, 16),
          profile("randwrite", true, 0, kPage, 16),
          profile("seqread", false, 1, kStream, 8),
          profile("seqwrite", false, 0, kStream, 8),
          profile("mixed", true, 0.7, kPage, 16),
          fsync,
          etcd};
}

const JobSpec* find_profile(const std::vector<JobSpec>& profiles, const std::string& name) {
  const auto it = std::find_if(profiles.begin(), profiles.end(),
                               [&](const JobSpec& spec) { return spec.name == name; });
  return it == profiles.end() ? nullptr : &*it;
}

}  // namespace volumeter
