#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "blockio/io_engine.h"

namespace volumeter {
namespace {

// How completions reach us: where they are reaped (6.1), without interrupting us (5.19), or as
// ever; as fio sets up its own.
constexpr std::array<unsigned, 3> kSetups = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0};

class UringEngine : public IoEngine {
 public:
  UringEngine(io_uring ring, unsigned depth) : ring_(ring), depth_(depth) {}
  ~UringEngine() override { io_uring_queue_exit(&ring_); }

  [[nodiscard]] std::string_view name() const override { return "io_uring"; }
  [[nodiscard]] unsigned depth() const override { return depth_; }

  int submit(int fd, const IoRequest& request) override {
    if (broken_) return EIO;
    if (under_way_ == depth_) return EAGAIN;
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) return EAGAIN;
    prepare(*entry, fd, request);
    int submitted = 0;
    do {
      submitted = io_uring_submit(&ring_);
    } while (submitted == -EINTR);
    if (submitted < 0) {
      broken_ = true;  // the request can't be taken back
      return -submitted;
    }
    ++under_way_;
    return 0;
  }

  std::size_t reap(std::span<IoCompletion> completions, bool wait) override {
    io_uring_cqe* entry = nullptr;
    if (wait && under_way_ > 0 && io_uring_wait_cqe(&ring_, &entry) != 0) return 0;
    std::size_t count = 0;
    while (count < completions.size() && io_uring_peek_cqe(&ring_, &entry) == 0) {
      completions[count++] = {entry->user_data, entry->res};
      io_uring_cqe_seen(&ring_, entry);
      --under_way_;
    }
    return count;
  }

 private:
  static void prepare(io_uring_sqe& entry, int fd, const IoRequest& request) {
    switch (request.kind) {
      case IoKind::kRead:
        io_uring_prep_read(&entry, fd, request.buffer, request.length, request.offset);
        break;
      case IoKind::kWrite:
      case IoKind::kDurableWrite:
        io_uring_prep_write(&entry, fd, request.buffer, request.length, request.offset);
        if (request.kind == IoKind::kDurableWrite) entry.rw_flags = RWF_DSYNC;
        break;
      case IoKind::kDataSync:
        io_uring_prep_fsync(&entry, fd, IORING_FSYNC_DATASYNC);
        break;
    }
    io_uring_sqe_set_data64(&entry, request.tag);
  }

  io_uring ring_;
  const unsigned depth_;
  unsigned under_way_ = 0;
  bool broken_ = false;
};

// liburing 2.3 declares functions for these two, and its shared library lacks them.
int do_register(const io_uring& ring, unsigned operation, const void* argument, std::size_t count) {
  return ::syscall(SYS_io_uring_register, ring.ring_fd, operation, argument, count) < 0 ? errno : 0;
}

int restrict_and_enable(io_uring& ring) {
  std::array<io_uring_restriction, 3> allowed{};
  const std::array<std::uint8_t, 3> operations = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC};
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
    allowed[i].sqe_op = operations[i];
  }
  if (const int error =
          do_register(ring, IORING_REGISTER_RESTRICTIONS, allowed.data(), allowed.size());
      error != 0) {
    return error;
  }
  return do_register(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

}  // namespace

Result<std::unique_ptr<IoEngine>> make_uring_engine(unsigned depth) {
  io_uring ring{};
  int error = EINVAL;
  for (std::size_t i = 0; error == EINVAL && i < kSetups.size(); ++i) {
    io_uring_params params{};
    params.flags = IORING_SETUP_R_DISABLED | kSetups[i];
    error = -io_uring_queue_init_params(depth, &ring, &params);
  }
  if (error != 0) return Error::from_errno("io_uring_setup", error);
  if (error = restrict_and_enable(ring); error != 0) {
    io_uring_queue_exit(&ring);
    return Error::from_errno("io_uring_register", error);
  }
  return std::unique_ptr<IoEngine>(std::make_unique<UringEngine>(ring, depth));
}

Result<std::unique_ptr<IoEngine>> make_io_engine(unsigned depth) {
  auto ring = make_uring_engine(depth);
  if (ring) return ring;
  auto aio = make_aio_engine(depth);
  if (aio) return aio;
  return Error{ring.error().message + "; " + aio.error().message, aio.error().code};
}

}  // namespace volumeter
