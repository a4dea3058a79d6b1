#include "mounts/mount_table.h"

#include <fcntl.h>
#include <libmount.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <memory>

namespace volumeter {
namespace {

constexpr std::size_t kMountinfoLimit = 64U << 20;

std::string or_empty(const char* text) { return text == nullptr ? std::string() : text; }

bool has_option(const char* options, const char* name) {
  return options != nullptr && mnt_optstr_get_option(options, name, nullptr, nullptr) == 0;
}

std::string option_value(const char* options, const char* name) {
  char* value = nullptr;
  std::size_t size = 0;
  if (options == nullptr || mnt_optstr_get_option(options, name, &value, &size) != 0) return {};
  return {value, size};
}

MountEntry to_entry(libmnt_fs* fs) {
  MountEntry entry;
  entry.id = mnt_fs_get_id(fs);
  entry.parent = mnt_fs_get_parent_id(fs);
  const dev_t device = mnt_fs_get_devno(fs);
  entry.device = {major(device), minor(device)};
  entry.root = or_empty(mnt_fs_get_root(fs));
  entry.mount_point = or_empty(mnt_fs_get_target(fs));
  entry.fstype = or_empty(mnt_fs_get_fstype(fs));
  entry.source = or_empty(mnt_fs_get_source(fs));
  entry.mount_read_only = has_option(mnt_fs_get_vfs_options(fs), "ro");
  const char* super_options = mnt_fs_get_fs_options(fs);
  entry.super_read_only = has_option(super_options, "ro");
  entry.emergency_read_only = has_option(super_options, "emergency_ro");
  entry.shut_down = has_option(super_options, "shutdown");
  if (entry.fstype == "overlay") {
    entry.upper_dir = option_value(super_options, "upperdir");
  }
  return entry;
}

int count_and_skip(libmnt_table* table, const char* /*file*/, int /*line*/) {
  ++*static_cast<std::size_t*>(mnt_table_get_userdata(table));
  return 1;  // libmount: >0 ignores the line
}

}  // namespace

Result<std::string> read_mountinfo(const HostPaths& host) {
  return read_file(host.procfs + "/1/mountinfo", kMountinfoLimit);
}

Result<UniqueFd> open_mount_events(const HostPaths& host) {
  const std::string path = host.procfs + "/1/mountinfo";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return Error::from_errno("open " + path, errno);
  return fd;
}

ParsedMounts parse_mountinfo(const std::string& text) {
  ParsedMounts out;
  if (text.empty()) return out;
  const std::unique_ptr<libmnt_table, void (*)(libmnt_table*)> table(mnt_new_table(),
                                                                     mnt_unref_table);
  mnt_table_set_userdata(table.get(), &out.bad_lines);
  mnt_table_set_parser_errcb(table.get(), count_and_skip);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(
      fmemopen(const_cast<char*>(text.data()), text.size(), "r"), std::fclose);
  if (!stream) return out;
  if (mnt_table_parse_stream(table.get(), stream.get(), "mountinfo") < 0) return out;

  const std::unique_ptr<libmnt_iter, void (*)(libmnt_iter*)> each(mnt_new_iter(MNT_ITER_FORWARD),
                                                                  mnt_free_iter);
  out.table.reserve(static_cast<std::size_t>(mnt_table_get_nents(table.get())));
  libmnt_fs* fs = nullptr;
  while (mnt_table_next_fs(table.get(), each.get(), &fs) == 0) out.table.push_back(to_entry(fs));
  return out;
}

}  // namespace volumeter
