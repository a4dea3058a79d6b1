// The file that probes and benchmarks write to: in nobody's way, and gone with its last descriptor,
// however the process ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "host/unique_fd.h"

namespace volumeter {

// What O_DIRECT wants of buffers, offsets and lengths (statx(2), STATX_DIOALIGN; Linux 6.1). Where
// the filesystem doesn't say: a page, which is enough for all.
struct DirectAlignment {
  std::uint32_t memory = 4096;
  std::uint32_t offset = 4096;
};
DirectAlignment direct_alignment(int fd);

struct TestFile {
  UniqueFd fd;         // open for reading and writing
  int error = 0;       // errno, when there is no fd
  bool direct = true;  // past the page cache; false where the filesystem has no O_DIRECT
};

// In the directory `directory` (O_PATH will do), without a name (open(2), O_TMPFILE): EOPNOTSUPP
// where the filesystem can't. `direct`: with O_DIRECT, or not at all.
TestFile make_unnamed_file(int directory, bool direct = true);

// Under a name that lives for a moment: made and removed before anything is written. (NFS clients
// keep a removed file that is open under a name of their own, ".nfs...", until it is closed.) A
// file of that name which isn't ours (empty, root's, regular) is left alone: EEXIST.
inline constexpr const char* kTestFileName = ".volumeter-probe";
TestFile make_named_file(int directory, bool direct = true);

// Memory that O_DIRECT takes: page-aligned, touched, filled with what doesn't compress.
class DirectBuffer {
 public:
  explicit DirectBuffer(std::size_t bytes);
  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::size_t size_;
  std::unique_ptr<std::byte, Free> data_;
};

// Whether the page cache holds the first bytes of a file that was only ever used with O_DIRECT:
// then the filesystem has done buffered I/O all the same (btrfs does, under compression and with
// checksums). May bring them there: ask once.
bool went_through_cache(int fd);

}  // namespace volumeter
