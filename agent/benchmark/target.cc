#include "benchmark/target.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "host/host.h"
#include "mounts/mount_table.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

constexpr std::uint64_t kUsualSize = std::uint64_t{1} << 30;
constexpr std::uint64_t kLeastSize = std::uint64_t{1} << 20;
constexpr std::size_t kChunk = 1 << 20;

std::string filesystem_of(const DeviceNumber& number) {
  const auto text = read_file("/proc/self/mountinfo");
  if (!text) return {};
  const ParsedMounts parsed = parse_mountinfo(*text);
  for (const MountEntry& mount : parsed.table) {
    if (mount.device == number) return mount.fstype;
  }
  return {};
}

Error cannot(const std::string& path, const std::string& what) { return {path + ": " + what, 0}; }

}  // namespace

TestFile BenchTarget::make_file(bool direct) const {
  TestFile file = make_unnamed_file(directory.get(), direct);
  if (!file.fd && !(direct && file.error == EINVAL)) {
    file = make_named_file(directory.get(), direct);
  }
  const bool no_direct = direct && !file.fd && file.error == EINVAL;
  return no_direct ? make_file(false) : std::move(file);
}

TestFile BenchTarget::open_device() const {
  TestFile file;
  file.fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (!file.fd) file.error = errno;
  return file;
}

Result<BenchTarget> open_bench_target(const std::string& path) {
  BenchTarget target;
  target.path = path;
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
  if (S_ISBLK(st.st_mode)) {
    target.device = true;
    target.number = {major(st.st_rdev), minor(st.st_rdev)};
    const TestFile device = target.open_device();
    if (!device.fd) return Error::from_errno(path, device.error);
    if (::ioctl(device.fd.get(), BLKGETSIZE64, &target.size) != 0) {
      return Error::from_errno(path, errno);
    }
    return target;
  }
  if (!S_ISDIR(st.st_mode)) {
    return cannot(path, "neither a directory nor a block device; for a file, give its directory");
  }
  target.directory = UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct statfs fs {};
  if (!target.directory || ::fstatfs(target.directory.get(), &fs) != 0) {
    return Error::from_errno(path, errno);
  }
  target.number = {major(st.st_dev), minor(st.st_dev)};
  target.fstype = filesystem_of(target.number);
  target.available =
      static_cast<std::uint64_t>(fs.f_bavail) * static_cast<std::uint64_t>(fs.f_frsize);
  return target;
}

std::uint64_t default_size(const BenchTarget& target) {
  if (target.device) return target.size;
  const std::uint64_t mib = target.available / 4 >> 20U;
  return std::clamp(mib << 20U, kLeastSize, kUsualSize);
}

void audit_writes(const BenchTarget& target, std::string_view command, std::uint64_t size) {
  if (target.device) return;
  const char* before_sudo = std::getenv("SUDO_USER");
  audit("a benchmark writes to a volume",
        {{"path", target.path},
         {"command", std::string(command)},
         {"asked_by", before_sudo != nullptr ? before_sudo : "uid " + std::to_string(::getuid())},
         {"file_bytes", std::to_string(size)}});
}

Status check_room(const BenchTarget& target, std::uint64_t size) {
  const std::uint64_t most = target.available - target.available / 20;
  if (size <= most) return Done{};
  const auto mib = [](std::uint64_t bytes) { return std::to_string(bytes >> 20U) + " MiB"; };
  return cannot(target.path, "a file of " + mib(size) +
                                 " needs more room than there is: " + mib(target.available) +
                                 " are available, of which " + mib(most) + " may be used (--size)");
}

Status lay_out(const TestFile& file, std::uint64_t size,
               const std::function<bool(std::uint64_t)>& progress) {
  const DirectBuffer buffer(kChunk);
  for (std::uint64_t at = 0; at < size;) {
    // O_DIRECT takes whole pages.
    const std::size_t length = std::min<std::uint64_t>(kChunk, (size - at + 4095) / 4096 * 4096);
    const ssize_t n = ::pwrite(file.fd.get(), buffer.data(), length, static_cast<off_t>(at));
    if (n <= 0) return Error::from_errno("writing the test's file", n < 0 ? errno : EIO);
    at += static_cast<std::uint64_t>(n);
    if (!progress(at)) return Error::from_errno("writing the test's file", ECANCELED);
  }
  if (::fdatasync(file.fd.get()) != 0) return Error::from_errno("syncing the test's file", errno);
  return Done{};
}

}  // namespace volumeter
