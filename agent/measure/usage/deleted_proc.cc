#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "host/host.h"
#include "measure/usage/deleted_scan.h"
#include "mounts/mount_table.h"

namespace volumeter {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

// As the process sees them, by id.
std::map<int, MountEntry> mounts_of(const std::string& process) {
  std::map<int, MountEntry> mounts;
  auto text = read_file(process + "/mountinfo", 16 << 20);
  if (!text) return mounts;
  for (MountEntry& mount : parse_mountinfo(*text).table) mounts[mount.id] = std::move(mount);
  return mounts;
}

std::optional<int> mount_id_of(const std::string& fdinfo) {
  auto text = read_file(fdinfo);
  if (!text) return std::nullopt;
  const auto at = text->find("mnt_id:");
  if (at == std::string::npos) return std::nullopt;
  return static_cast<int>(std::strtol(text->c_str() + at + 7, nullptr, 10));
}

// Without it other users' files would be left out without a word.
bool may_trace() {
  auto status = read_file("/proc/self/status");
  const auto at = status ? status->find("CapEff:\t") : std::string::npos;
  if (at == std::string::npos) return false;
  const std::uint64_t effective = std::strtoull(status->c_str() + at + 8, nullptr, 16);
  return (effective >> CAP_SYS_PTRACE & 1U) != 0;
}

bool lies_in(const std::string& path, const std::string& directory) {
  return directory == "/" || path.starts_with(directory + "/");
}

class ProcScan final : public DeletedScan {
 public:
  Result<std::vector<std::uint64_t>> scan(const std::vector<DeletedPlace>& places) override {
    places_ = &places;
    bytes_.assign(places.size(), 0);
    seen_.clear();
    if (!may_trace()) return Error{"CAP_SYS_PTRACE is missing", EPERM};
    UniqueFd all(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!all) return Error::from_errno("open /proc", errno);
    const Status listed = list_directory(std::move(all), [&](const DirectoryEntry& entry) {
      const bool number = std::all_of(entry.name.begin(), entry.name.end(),
                                      [](char c) { return c >= '0' && c <= '9'; });
      if (number) look_at("/proc/" + entry.name);
    });
    if (!listed) return listed.error();
    return bytes_;
  }

 private:
  void look_at(const std::string& process) {
    UniqueFd files(::open((process + "/fd").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!files) return;  // it ended, or isn't ours to look at
    const int directory = files.get();
    UniqueFd kept(::dup(directory));
    std::optional<std::map<int, MountEntry>> mounts;
    (void)list_directory(std::move(files), [&](const DirectoryEntry& entry) {
      std::array<char, 4096> link{};
      const ssize_t n = ::readlinkat(kept.get(), entry.name.c_str(), link.data(), link.size() - 1);
      std::string_view path(link.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
      if (!path.starts_with('/') || !path.ends_with(kDeleted)) return;
      struct stat st {};
      if (::fstatat(kept.get(), entry.name.c_str(), &st, 0) != 0) return;
      if (!S_ISREG(st.st_mode) || st.st_nlink != 0) return;
      const auto id = mount_id_of(process + "/fdinfo/" + entry.name);
      if (!mounts) mounts = mounts_of(process);
      const auto mount = id ? mounts->find(*id) : mounts->end();
      if (mount == mounts->end()) return;
      path.remove_suffix(kDeleted.size());
      count(mount->second, std::string(path), st);
    });
  }

  void count(const MountEntry& mount, const std::string& path, const struct stat& st) {
    const auto key = std::tuple(mount.device.major, mount.device.minor, st.st_ino);
    if (seen_.size() == kMostDeletedFiles) return;
    if (!lies_in(path, mount.mount_point) || !seen_.insert(key).second) return;
    const std::string below = path.substr(mount.mount_point == "/" ? 0 : mount.mount_point.size());
    const std::string inside = (mount.root == "/" ? "" : mount.root) + below;
    for (std::size_t i = 0; i < places_->size(); ++i) {
      const DeletedPlace& place = (*places_)[i];
      if (place.device == mount.device && (place.inode == 0 || lies_in(inside, place.root))) {
        bytes_[i] += static_cast<std::uint64_t>(st.st_blocks) * 512;
      }
    }
  }

  const std::vector<DeletedPlace>* places_ = nullptr;
  std::vector<std::uint64_t> bytes_;
  std::set<std::tuple<std::uint32_t, std::uint32_t, ino_t>> seen_;
};

}  // namespace

std::unique_ptr<DeletedScan> make_proc_scan() { return std::make_unique<ProcScan>(); }

}  // namespace volumeter
