#include "blockio/test_file.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <new>
#include <random>

namespace volumeter {
namespace {

constexpr uid_t kNobody = 65534;  // what root is where a server squashes it

bool is_left_over(int directory) {
  struct stat st {};
  return ::fstatat(directory, kTestFileName, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(st.st_mode) && st.st_size == 0 && st.st_nlink == 1 &&
         (st.st_uid == ::geteuid() || st.st_uid == kNobody);
}

}  // namespace

DirectAlignment direct_alignment(int fd) {
  struct statx st {};
  const bool told = ::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) == 0 &&
                    (st.stx_mask & STATX_DIOALIGN) != 0 && st.stx_dio_offset_align != 0;
  if (!told) return {};
  return {st.stx_dio_mem_align, st.stx_dio_offset_align};
}

TestFile make_unnamed_file(int directory, bool direct) {
  constexpr int kFlags = O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC;
  TestFile file;
  file.direct = direct;
  file.fd = UniqueFd(::openat(directory, ".", kFlags | (direct ? O_DIRECT : 0), 0600));
  if (!file.fd) file.error = errno;
  return file;
}

// O_DIRECT comes later: where a filesystem hasn't got it, open(2) fails with the file made.
TestFile make_named_file(int directory, bool direct) {
  constexpr int kFlags = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC;
  TestFile file;
  file.direct = direct;
  file.fd = UniqueFd(::openat(directory, kTestFileName, kFlags, 0600));
  if (!file.fd && errno == EEXIST && is_left_over(directory)) {  // of one that was killed
    ::unlinkat(directory, kTestFileName, 0);
    file.fd = UniqueFd(::openat(directory, kTestFileName, kFlags, 0600));
  }
  const bool made = file.fd && ::unlinkat(directory, kTestFileName, 0) == 0;
  if (made && (!direct || ::fcntl(file.fd.get(), F_SETFL, O_DIRECT) == 0)) return file;
  file.error = errno;
  file.fd.reset();
  return file;
}

void DirectBuffer::Free::operator()(std::byte* data) const { std::free(data); }

DirectBuffer::DirectBuffer(std::size_t bytes)
    : size_(bytes),
      data_(
          static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) & ~std::size_t{4095}))) {
  if (!data_) throw std::bad_alloc();
  std::minstd_rand random(static_cast<unsigned>(::getpid()));
  for (std::size_t i = 0; i < bytes; ++i) {
    data_.get()[i] = static_cast<std::byte>(random() >> 16);
  }
}

bool went_through_cache(int fd) {
  std::byte first{};
  const iovec one{&first, 1};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) != 0) return false;
  const bool cached = ::preadv2(fd, &one, 1, 0, RWF_NOWAIT) == 1;
  ::fcntl(fd, F_SETFL, flags);
  return cached;
}

}  // namespace volumeter
