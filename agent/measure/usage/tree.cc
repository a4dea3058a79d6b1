#include "measure/usage/tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "measure/usage/walk.h"
#include "workers/sandbox.h"

namespace volumeter {
namespace {

// A slice holds fds for as long; the call it is in when the time is over is finished first.
constexpr std::uint64_t kSliceNs = 50'000'000;
constexpr std::size_t kHardLinkBytes = 2 << 20;
constexpr std::uint64_t kQuotaBlock = 1024;  // of dqb_bhardlimit (fs/quota/quota.c, QIF_DQBLKSIZE)

std::uint64_t clock_ns(clockid_t clock) {
  timespec ts{};
  ::clock_gettime(clock, &ts);
  return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(ts.tv_nsec);
}

// The directory itself, to ask more of it than O_PATH allows.
UniqueFd open_again(int fd) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, fd, ".", &how, sizeof how)));
}

// ext4, xfs and f2fs have projects; others say that they don't know the question.
fsxattr project_of(int directory) {
  fsxattr attributes{};
  if (::ioctl(directory, FS_IOC_FSGETXATTR, &attributes) != 0) attributes = {};
  return attributes;
}

struct Slot {
  std::uint32_t number = 0;
  std::optional<Walk> walk;
};
std::array<Slot, kWalkSlots> g_slots;

void store(const WalkTotals& totals, std::uint32_t flags, const struct stat& st,
           std::uint64_t cpu_since, SampleAnswer& answer) {
  WalkSlice slice;
  slice.inode = st.st_ino;
  slice.bytes = totals.bytes;
  slice.entries = totals.entries;
  slice.inodes = totals.inodes;
  slice.errors = totals.errors;
  slice.flags = flags | (totals.estimated ? WalkSlice::kEstimated : 0U);
  if (totals.last_write) {
    slice.flags |= WalkSlice::kHasWrites;
    slice.last_write_seconds = totals.last_write->tv_sec;
    slice.last_write_ns = static_cast<std::uint32_t>(totals.last_write->tv_nsec);
  }
  slice.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_since;
  answer.store(slice);
}

// A hostPath can be a file; what else it can be takes no space.
WalkTotals totals_of_file(const struct stat& st) {
  WalkTotals totals;
  totals.bytes = static_cast<std::uint64_t>(st.st_blocks) * 512;
  totals.entries = totals.inodes = 1;
  if (S_ISREG(st.st_mode)) totals.last_write = st.st_mtim;
  return totals;
}

int walk_slice(int fd, std::uint64_t argument, SampleAnswer& answer) {
  const std::uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  const std::uint64_t began = clock_ns(CLOCK_MONOTONIC);
  const WalkTicket ticket = WalkTicket::unpacked(argument);
  struct stat st {};
  if (::fstat(fd, &st) != 0) return errno;
  if (!S_ISDIR(st.st_mode)) {
    store(totals_of_file(st), WalkSlice::kDone, st, cpu, answer);
    return 0;
  }
  Slot& slot = g_slots[ticket.slot % kWalkSlots];
  if (ticket.begin) {
    slot.walk.reset();
    const UniqueFd directory = open_again(fd);
    if (!directory) return errno;
    if (!ticket.whatever_project && project_of(directory.get()).fsx_projid != 0) {
      store({}, WalkSlice::kProject, st, cpu, answer);
      return 0;
    }
    slot.number = ticket.number;
    slot.walk.emplace(std::make_shared<HardLinks>(kHardLinkBytes));
  }
  if (!slot.walk || slot.number != ticket.number) {
    store({}, WalkSlice::kLost, st, cpu, answer);
    return 0;
  }
  const auto done =
      slot.walk->advance(fd, [&] { return clock_ns(CLOCK_MONOTONIC_COARSE) >= began + kSliceNs; });
  if (!done) {
    slot.walk.reset();
    return done.error().code != 0 ? done.error().code : EIO;
  }
  store(slot.walk->totals(), *done ? WalkSlice::kDone : 0U, st, cpu, answer);
  if (*done) slot.walk.reset();
  return 0;
}

void ask_quota(int directory, QuotaLook& look) {
  dqblk quota{};
  if (::syscall(SYS_quotactl_fd, directory, QCMD(Q_GETQUOTA, kProjectQuota), look.project,
                &quota) != 0) {
    return;  // no quotas there, no CAP_SYS_ADMIN, or a kernel before 5.14
  }
  look.flags |= QuotaLook::kCounted;
  look.used = quota.dqb_curspace;
  look.entries = quota.dqb_curinodes;
  const std::uint64_t blocks =
      quota.dqb_bhardlimit != 0 ? quota.dqb_bhardlimit : quota.dqb_bsoftlimit;
  if (__builtin_mul_overflow(blocks, kQuotaBlock, &look.limit)) look.limit = 0;
  look.entry_limit = quota.dqb_ihardlimit != 0 ? quota.dqb_ihardlimit : quota.dqb_isoftlimit;
}

std::optional<std::uint64_t> number_attribute(int directory, const char* name) {
  std::array<char, 32> text{};
  const ssize_t n = ::fgetxattr(directory, name, text.data(), text.size() - 1);
  if (n <= 0) return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const std::uint64_t number = std::strtoull(text.data(), &end, 10);
  if (errno != 0 || end != text.data() + n || text[0] == '-') return std::nullopt;
  return number;
}

// CephFS keeps sums for each directory (docs.ceph.com: "Virtual extended attributes"); they follow
// within seconds.
void ask_ceph(int directory, QuotaLook& look) {
  const auto bytes = number_attribute(directory, "ceph.dir.rbytes");
  if (!bytes) return;
  look.flags |= QuotaLook::kCounted | QuotaLook::kCeph;
  look.used = *bytes;
  look.entries = number_attribute(directory, "ceph.dir.rentries").value_or(0);
  look.limit = number_attribute(directory, "ceph.quota.max_bytes").value_or(0);
  look.entry_limit = number_attribute(directory, "ceph.quota.max_files").value_or(0);
}

int quota_look(int fd, std::uint64_t /*argument*/, SampleAnswer& answer) {
  const UniqueFd directory = open_again(fd);
  struct statfs fs {};
  struct stat st {};
  if (!directory || ::fstatfs(fd, &fs) != 0 || ::fstat(fd, &st) != 0) return errno;
  QuotaLook look;
  look.inode = st.st_ino;
  const auto unit = static_cast<std::uint64_t>(fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize);
  look.capacity = fs.f_blocks * unit;
  look.used = (fs.f_blocks - std::min(fs.f_bfree, fs.f_blocks)) * unit;
  look.files = fs.f_files;
  constexpr decltype(fs.f_type) kCephMagic = 0x00c36400;  // CEPH_SUPER_MAGIC
  if (fs.f_type == kCephMagic || fs.f_type == FUSE_SUPER_MAGIC) {
    ask_ceph(directory.get(), look);
  } else {
    const fsxattr attributes = project_of(directory.get());
    look.project = attributes.fsx_projid;
    if ((attributes.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0) look.flags |= QuotaLook::kInherits;
    if (look.project != 0) ask_quota(directory.get(), look);
  }
  answer.store(look);
  return 0;
}

}  // namespace

std::uint64_t WalkTicket::packed() const {
  return std::uint64_t{number} << 32U | std::uint64_t{slot} << 8U | (whatever_project ? 2U : 0U) |
         (begin ? 1U : 0U);
}

WalkTicket WalkTicket::unpacked(std::uint64_t argument) {
  WalkTicket ticket;
  ticket.number = static_cast<std::uint32_t>(argument >> 32U);
  ticket.slot = static_cast<std::uint8_t>(argument >> 8U);
  ticket.begin = (argument & 1U) != 0;
  ticket.whatever_project = (argument & 2U) != 0;
  return ticket;
}

std::vector<SampleFunction> tree_functions() { return {walk_slice, quota_look}; }

}  // namespace volumeter
