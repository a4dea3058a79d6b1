#include "host/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

namespace volumeter {
namespace {

Result<std::string> read_all(int fd, const std::string& path, std::size_t limit) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return Error::from_errno("stat " + path, errno);
  if (!S_ISREG(st.st_mode)) return Error{path + " is not a regular file", EINVAL};
  std::string out;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read " + path, errno);
    if (n == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(n));
    if (out.size() > limit) {
      return Error{path + " is longer than the allowed " + std::to_string(limit) + " bytes", EFBIG};
    }
  }
}

// Length of the UTF-8 sequence at `bytes`, or 0 when there is no valid one (RFC 3629).
std::size_t utf8_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first == 0xC2 && at(1) < 0xA0) return 0;  // C1 controls: a terminal may obey them
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string under_rootfs(const HostPaths& host, std::string_view host_path) {
  if (host.rootfs.empty() || host.rootfs == "/") return std::string(host_path);
  return host.rootfs + std::string(host_path);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: a FIFO in the file's place must not stop us before we can see that it is one.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Error::from_errno("open " + path, errno);
  return read_all(fd.get(), path, limit);
}

Result<std::string> read_file_beneath(int directory, const std::string& path, std::size_t limit) {
  auto fd = open_resolved(directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                          Resolve::kBeneathOneFilesystem);
  if (!fd) return fd.error();
  return read_all(fd->get(), path, limit);
}

Result<UniqueFd> open_resolved(int directory, const std::string& path, std::uint64_t flags,
                               Resolve resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve =
      resolve == Resolve::kBeneathOneFilesystem
          ? RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
          : RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename or mount raced with the ".." check; openat2(2) says to try again.
    if (errno != EAGAIN || attempt == 8) return Error::from_errno("open " + path, errno);
  }
}

Status list_directory(UniqueFd directory, const std::function<void(DirectoryEntry)>& visit) {
  DIR* stream = ::fdopendir(directory.get());
  if (stream == nullptr) return Error::from_errno("list directory", errno);
  directory.release();
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") visit({std::string(name), entry->d_type});
    errno = 0;
  }
  const int code = errno;
  ::closedir(stream);
  if (code != 0) return Error::from_errno("list directory", code);
  return Done{};
}

std::optional<std::chrono::sys_seconds> boot_time(const HostPaths& host) {
  const auto text = read_file(host.procfs + "/stat");
  if (!text) return std::nullopt;
  constexpr std::string_view kKey = "\nbtime ";
  const auto at = text->find(kKey);
  if (at == std::string::npos) return std::nullopt;
  std::int64_t seconds = 0;
  const char* const begin = text->data() + at + kKey.size();
  const auto [end, error] = std::from_chars(begin, text->data() + text->size(), seconds);
  if (error != std::errc()) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return names;
  const Status listed = list_directory(
      std::move(fd), [&](const DirectoryEntry& entry) { names.push_back(entry.name); });
  if (!listed) names.clear();
  std::sort(names.begin(), names.end());
  return names;
}

std::string printable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (length == 0 || first < 0x20 || first == 0x7F) {
      std::array<char, 5> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", first);
      out += escaped.data();
      bytes.remove_prefix(1);
    } else {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
  }
  return out;
}

}  // namespace volumeter
