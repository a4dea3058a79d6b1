#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <vector>

#include "blockio/io_engine.h"

namespace volumeter {
namespace {

class AioEngine : public IoEngine {
 public:
  AioEngine(aio_context_t context, unsigned depth) : context_(context), slots_(depth) {
    for (iocb& slot : slots_) free_.push_back(&slot);
  }
  ~AioEngine() override { ::syscall(SYS_io_destroy, context_); }

  [[nodiscard]] std::string_view name() const override { return "libaio"; }
  [[nodiscard]] unsigned depth() const override { return static_cast<unsigned>(slots_.size()); }

  int submit(int fd, const IoRequest& request) override {
    if (free_.empty()) return EAGAIN;
    iocb* slot = free_.back();
    *slot = {};
    slot->aio_fildes = static_cast<std::uint32_t>(fd);
    slot->aio_data = reinterpret_cast<std::uint64_t>(slot);
    slot->aio_lio_opcode = operation(request.kind);
    if (request.kind == IoKind::kDurableWrite) slot->aio_rw_flags = RWF_DSYNC;
    if (request.kind != IoKind::kDataSync) {
      slot->aio_buf = reinterpret_cast<std::uint64_t>(request.buffer);
      slot->aio_nbytes = request.length;
      slot->aio_offset = static_cast<std::int64_t>(request.offset);
    }
    tags_of(slot) = request.tag;
    if (::syscall(SYS_io_submit, context_, 1L, &slot) != 1) return errno;
    free_.pop_back();
    return 0;
  }

  std::size_t reap(std::span<IoCompletion> completions, bool wait) override {
    std::array<io_event, 64> events{};
    const std::size_t most = std::min(completions.size(), events.size());
    const long least = wait && free_.size() < slots_.size() ? 1 : 0;
    timespec none{};
    const long got = ::syscall(SYS_io_getevents, context_, least, static_cast<long>(most),
                               events.data(), wait ? nullptr : &none);
    if (got <= 0) return 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      auto* const slot = std::bit_cast<iocb*>(events[i].data);
      completions[i] = {tags_of(slot), static_cast<std::int32_t>(events[i].res)};
      free_.push_back(slot);
    }
    return static_cast<std::size_t>(got);
  }

 private:
  static std::uint16_t operation(IoKind kind) {
    if (kind == IoKind::kRead) return IOCB_CMD_PREAD;
    return kind == IoKind::kDataSync ? IOCB_CMD_FDSYNC : IOCB_CMD_PWRITE;
  }
  std::uint64_t& tags_of(const iocb* slot) {
    return tags_[static_cast<std::size_t>(slot - slots_.data())];
  }

  aio_context_t context_;
  std::vector<iocb> slots_;
  std::vector<std::uint64_t> tags_ = std::vector<std::uint64_t>(slots_.size());
  std::vector<iocb*> free_;
};

}  // namespace

Result<std::unique_ptr<IoEngine>> make_aio_engine(unsigned depth) {
  aio_context_t context = 0;
  if (::syscall(SYS_io_setup, depth, &context) != 0) return Error::from_errno("io_setup", errno);
  return std::unique_ptr<IoEngine>(std::make_unique<AioEngine>(context, depth));
}

}  // namespace volumeter
