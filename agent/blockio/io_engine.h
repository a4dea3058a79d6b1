// Reads, writes and syncs of one open file, several at a time, without the page cache's help: what
// probes, bursts and `volumeter bench` are made of.
//
// By io_uring, or by Linux AIO where that is forbidden (containers' seccomp profiles,
// /proc/sys/kernel/io_uring_disabled). One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "volumeter/result.h"

namespace volumeter {

enum class IoKind : std::uint8_t {
  kRead,
  kWrite,
  kDurableWrite,  // RWF_DSYNC: a write that has come back is on stable storage
  kDataSync,      // fdatasync
};

struct IoRequest {
  IoKind kind = IoKind::kRead;
  std::uint64_t offset = 0;  // bytes; aligned as the file wants it (blockio/test_file.h)
  std::uint32_t length = 0;  // bytes
  std::byte* buffer =
      nullptr;            // must stay until the request has completed: the kernel writes there
  std::uint64_t tag = 0;  // the caller's
};

struct IoCompletion {
  std::uint64_t tag = 0;
  std::int32_t result = 0;  // bytes, or a negative errno
};

class IoEngine {
 public:
  virtual ~IoEngine() = default;
  IoEngine() = default;
  IoEngine(const IoEngine&) = delete;
  IoEngine& operator=(const IoEngine&) = delete;

  // As fio calls it: "io_uring", "libaio" or "psync".
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Most requests that can be under way.
  [[nodiscard]] virtual unsigned depth() const = 0;
  // submit() does it all, and reap() only tells.
  [[nodiscard]] virtual bool synchronous() const { return false; }
  // Hands one request to the kernel. Returns 0 or an errno; EAGAIN when `depth` are under way. May
  // sleep: buffered and allocating I/O by AIO is done here.
  virtual int submit(int fd, const IoRequest& request) = 0;
  // Completions that there are; at least one unless `wait` is false or none is under way. 0 also
  // when a signal interrupted it.
  virtual std::size_t reap(std::span<IoCompletion> completions, bool wait) = 0;
};

// A ring that can do nothing but read, write and sync (io_uring_register(2),
// IORING_REGISTER_RESTRICTIONS): seccomp filters don't see what a ring does. The error is the
// kernel's refusal. A process that ends while the device never answers ends cleanly.
Result<std::unique_ptr<IoEngine>> make_uring_engine(unsigned depth);

// Fails where the machine has no more AIO contexts (fs.aio-max-nr). A process can't end before the
// device has answered (Linux: fs/aio.c, exit_aio).
Result<std::unique_ptr<IoEngine>> make_aio_engine(unsigned depth);

// pread, pwrite and fdatasync, one at a time: what a program does that has no engine.
std::unique_ptr<IoEngine> make_sync_engine();

// The first of the other two that the kernel grants.
Result<std::unique_ptr<IoEngine>> make_io_engine(unsigned depth);

}  // namespace volumeter
