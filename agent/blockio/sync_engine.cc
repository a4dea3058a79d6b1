#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "blockio/io_engine.h"

namespace volumeter {
namespace {

class SyncEngine : public IoEngine {
 public:
  [[nodiscard]] std::string_view name() const override { return "psync"; }
  [[nodiscard]] unsigned depth() const override { return 1; }
  [[nodiscard]] bool synchronous() const override { return true; }

  int submit(int fd, const IoRequest& request) override {
    if (pending_) return EAGAIN;
    const ssize_t result = perform(fd, request);
    done_ = {request.tag, result < 0 ? -errno : static_cast<std::int32_t>(result)};
    pending_ = true;
    return 0;
  }

  std::size_t reap(std::span<IoCompletion> completions, bool /*wait*/) override {
    if (!pending_ || completions.empty()) return 0;
    pending_ = false;
    completions[0] = done_;
    return 1;
  }

 private:
  static ssize_t perform(int fd, const IoRequest& request) {
    const auto offset = static_cast<off_t>(request.offset);
    const iovec one{request.buffer, request.length};
    switch (request.kind) {
      case IoKind::kRead:
        return ::pread(fd, request.buffer, request.length, offset);
      case IoKind::kWrite:
        return ::pwrite(fd, request.buffer, request.length, offset);
      case IoKind::kDurableWrite:
        return ::pwritev2(fd, &one, 1, offset, RWF_DSYNC);
      case IoKind::kDataSync:
        return ::fdatasync(fd);
    }
    return -1;
  }

  IoCompletion done_;
  bool pending_ = false;
};

}  // namespace

std::unique_ptr<IoEngine> make_sync_engine() { return std::make_unique<SyncEngine>(); }

}  // namespace volumeter
