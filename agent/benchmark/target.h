// What a benchmark runs on: a file of its own in a directory, or a block device that it reads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "blockio/test_file.h"
#include "host/unique_fd.h"
#include "volumeter/mount_entry.h"
#include "volumeter/result.h"

namespace volumeter {

struct BenchTarget {
  std::string path;  // as it was given
  bool device = false;
  UniqueFd directory;           // O_PATH; none of a device
  DeviceNumber number;          // of the filesystem, or of the device
  std::string fstype;           // of the directory: "ext4", "nfs4"
  std::uint64_t size = 0;       // bytes of a device
  std::uint64_t available = 0;  // bytes that may be used in the directory

  // A file of its own: unnamed, or with a name for a moment where the filesystem has no others.
  // `direct`: past the page cache; where the filesystem can't, the file's `direct` is false.
  [[nodiscard]] TestFile make_file(bool direct) const;
  // The device, for reading, past the page cache.
  [[nodiscard]] TestFile open_device() const;
};

// The error says what is wrong with the path.
Result<BenchTarget> open_bench_target(const std::string& path);

// How large the test's file is when nobody says: 1 GiB, less where room is short.
std::uint64_t default_size(const BenchTarget& target);
// Why there is too little room for a file of `size`, or nothing: a twentieth of what is free stays
// free, at least.
Status check_room(const BenchTarget& target, std::uint64_t size);

// Says in the audit log that `command` is going to write a file of `size` in the directory, and who
// started it.
void audit_writes(const BenchTarget& target, std::string_view command, std::uint64_t size);

// Writes the file's blocks, so that none is a hole, and makes them durable. `progress` is called
// now and then with the bytes written; false ends it (ECANCELED).
Status lay_out(const TestFile& file, std::uint64_t size,
               const std::function<bool(std::uint64_t)>& progress);

}  // namespace volumeter
