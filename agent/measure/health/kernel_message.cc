#include "measure/health/kernel_message.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace volumeter {
namespace {

// Errors and alerts; of a timeout drivers say that it is a warning, and NFS that it is a notice
// (include/linux/kern_levels.h).
constexpr unsigned kNotice = 5;
// Lines from a hung task's name to the end of its stack.
constexpr int kStackLines = 80;
constexpr std::size_t kLongestName = 64;  // of a device or server: a longer one isn't one

template <class Number>
bool take_number(std::string_view& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Up to the first of `ends`, which must be there.
std::string name_before(std::string_view text, std::string_view ends) {
  const auto end = text.find_first_of(ends);
  if (end == std::string_view::npos || end == 0 || end > kLongestName) return {};
  return std::string(text.substr(0, end));
}

using Found = std::optional<KernelMessage>;

Found found(KernelMessageKind kind, std::string device) {
  if (device.empty() || device.size() > kLongestName) return std::nullopt;
  return KernelMessage{kind, std::move(device), {}, {}};
}

// What the device can't do, or not at once, the kernel does otherwise.
bool is_harmless(std::string_view text) {
  return text.starts_with("operation not supported") || text.starts_with("nonblocking retry") ||
         contains(text, ":(DISCARD)") || contains(text, ":(SECURE_ERASE)") ||
         contains(text, ":(WRITE_ZEROES)") || contains(text, ":(WRITE_SAME)");
}

// "I/O error, dev sda, sector 2048 op 0x1:(WRITE) ...", "critical medium error, dev ...", before
// 5.17 with "blk_update_request: " ahead (block/blk-mq.c, blk_print_req_error); "Buffer I/O error
// on dev sda1, logical block 0" (fs/buffer.c).
Found block_error(std::string_view text) {
  take_prefix(text, "blk_update_request: ");
  constexpr std::string_view kError = " error, dev ";
  if (const auto at = text.find(kError); at != std::string_view::npos && at < 40) {
    if (is_harmless(text)) return std::nullopt;
    return found(KernelMessageKind::kIoError, name_before(text.substr(at + kError.size()), ","));
  }
  if (take_prefix(text, "Buffer I/O error on dev ")) {
    return found(KernelMessageKind::kIoError, name_before(text, ","));
  }
  return std::nullopt;
}

// "EXT4-fs error (device sda1): ..." or "... in func:12: ..." (fs/ext4/super.c, __ext4_error),
// "EXT4-fs (sda1): shut down requested (2)".
Found ext4(std::string_view text) {
  if (take_prefix(text, "EXT4-fs error (device ")) {
    return found(KernelMessageKind::kFilesystemError, name_before(text, ")"));
  }
  if (take_prefix(text, "EXT4-fs warning (device ")) {
    if (!contains(text, "I/O error")) return std::nullopt;
    return found(KernelMessageKind::kIoError, name_before(text, ")"));
  }
  if (take_prefix(text, "EXT4-fs (")) {
    const std::string device = name_before(text, ")");
    if (contains(text, "): shut down requested")) {
      return found(KernelMessageKind::kFilesystemShutdown, device);
    }
    if (contains(text, "): Remounting filesystem read-only")) {
      return found(KernelMessageKind::kFilesystemReadOnly, device);
    }
    if (contains(text, "): I/O error") || contains(text, "): Delayed block allocation failed"))
      return found(KernelMessageKind::kIoError, device);
  }
  return std::nullopt;
}

// "XFS (dm-0): ..." (fs/xfs/xfs_message.c; xfs_fsops.c, xfs_do_force_shutdown; xfs_error.c).
Found xfs(std::string_view text) {
  const std::string device = name_before(text, ")");
  if (contains(text, "hutting down filesystem")) {
    return found(KernelMessageKind::kFilesystemShutdown, device);
  }
  if (contains(text, "orruption ") || contains(text, " CRC error") ||
      contains(text, ": Internal error")) {
    return found(KernelMessageKind::kFilesystemCorruption, device);
  }
  if (contains(text, "I/O error")) return found(KernelMessageKind::kIoError, device);
  return std::nullopt;
}

// "BTRFS error (device sda1): ...", "BTRFS: error (device sda1 state EA) in ...", "BTRFS critical
// (device ...): corrupt leaf: ...", "BTRFS warning (device ...): csum failed root 5 ..."
// (fs/btrfs/messages.c).
Found btrfs(std::string_view text) {
  const auto open = text.find("(device ");
  if (open == std::string_view::npos || open > 16) return std::nullopt;
  const std::string_view level = text.substr(0, open);
  const std::string_view rest = text.substr(open + std::string_view("(device ").size());
  const std::string device = name_before(rest, " )");
  if (contains(rest, " errs: wr ")) return found(KernelMessageKind::kIoError, device);
  if (contains(rest, "csum failed") || contains(rest, "checksum ") || contains(rest, "corrupt ")) {
    return found(KernelMessageKind::kFilesystemCorruption, device);
  }
  if (contains(level, "warning") || contains(level, "info")) return std::nullopt;
  return found(KernelMessageKind::kFilesystemError, device);
}

// "nvme nvme0: I/O 23 QID 5 timeout, aborting" (drivers/nvme/host/pci.c, nvme_timeout), "sd
// 0:0:0:0: [sda] tag#3 timing out command, waited 180s" (drivers/scsi/scsi_lib.c), "block nbd0:
// Connection timed out" (drivers/block/nbd.c).
Found timeout(std::string_view text) {
  if (take_prefix(text, "nvme ")) {
    if (!contains(text, " timeout")) return std::nullopt;
    return found(KernelMessageKind::kDeviceTimeout, name_before(text, ":"));
  }
  if (take_prefix(text, "block nbd")) {
    if (!contains(text, "timed out")) return std::nullopt;
    const std::string number = name_before(text, ":");
    return found(KernelMessageKind::kDeviceTimeout, number.empty() ? "" : "nbd" + number);
  }
  if (!take_prefix(text, "sd ")) return std::nullopt;
  const auto open = text.find('[');
  if (open == std::string_view::npos ||
      !(contains(text, "timing out command") || contains(text, "hostbyte=DID_TIME_OUT"))) {
    return std::nullopt;
  }
  return found(KernelMessageKind::kDeviceTimeout, name_before(text.substr(open + 1), "]"));
}

// "nfs: server 10.0.0.1 not responding, still trying" (fs/lockd, net/sunrpc/clnt.c).
Found server(std::string_view text) {
  constexpr std::string_view kSays = " not responding";
  const auto end = text.find(kSays);
  if (end == std::string_view::npos || end == 0 || end > kLongestName) return std::nullopt;
  return KernelMessage{KernelMessageKind::kServerTimeout, {}, std::string(text.substr(0, end)), {}};
}

// Threads that a filesystem has for each of its devices: "jbd2/sda1-8", "xfsaild/dm-0". A task's
// name is cut after 15 characters.
std::string device_of_thread(std::string_view name) {
  constexpr std::size_t kLongestComm = 15;
  if (take_prefix(name, "jbd2/")) {
    const auto dash = name.rfind('-');
    if (dash == std::string_view::npos || dash > kLongestName) return {};
    return std::string(name.substr(0, dash));
  }
  constexpr std::string_view kXfs = "xfsaild/";
  if (name.size() < kLongestComm && take_prefix(name, kXfs)) return std::string(name);
  return {};
}

// Functions that a task sleeps in when it is storage that it waits for.
bool is_of_storage(std::string_view function) {
  constexpr std::array<std::string_view, 28> kPrefixes = {
      "ext4_",      "jbd2_",          "xfs_",       "xlog_",      "btrfs_",  "nfs_",
      "nfs4_",      "rpc_",           "ceph_",      "cifs_",      "smb2_",   "fuse_",
      "f2fs_",      "ovl_",           "gfs2_",      "ocfs2_",     "iomap_",  "filemap_",
      "folio_wait", "wait_on_page",   "writeback_", "submit_bio", "blk_mq_", "blkdev_",
      "bio_wait",   "mnt_want_write", "sb_start",   "io_schedule"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return function.starts_with(prefix); });
}

// " ext4_sync_file+0x12/0x30 [ext4]"; one with a "?" may be left over on the stack.
std::string_view function_in(std::string_view line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || line[begin] == '?') return {};
  line.remove_prefix(begin);
  const auto plus = line.find("+0x");
  return plus == std::string_view::npos ? std::string_view() : line.substr(0, plus);
}

// "JBD2: Detected IO errors while flushing file data on sda1-8", since 6.15 with the error's number
// (fs/jbd2/commit.c); "dm-3: writeback error on inode 12, ..." (fs/iomap/buffered-io.c).
Found lost_writes(std::string_view text) {
  if (take_prefix(text, "JBD2: Detected IO errors ")) {
    const auto on = text.rfind(" on ");
    if (on == std::string_view::npos) return std::nullopt;
    text.remove_prefix(on + 4);
    return found(KernelMessageKind::kIoError, std::string(text.substr(0, text.rfind('-'))));
  }
  const auto says = text.find(": writeback error on inode ");
  if (says == std::string_view::npos || says == 0 || says > kLongestName) return std::nullopt;
  return found(KernelMessageKind::kIoError, std::string(text.substr(0, says)));
}

Found classify(std::string_view text) {
  if (text.starts_with("EXT4-fs")) return ext4(text);
  if (take_prefix(text, "XFS (")) return xfs(text);
  if (take_prefix(text, "BTRFS")) return btrfs(text);
  if (take_prefix(text, "nfs: server ")) return server(text);
  if (auto message = lost_writes(text)) return message;
  if (auto message = timeout(text)) return message;
  return block_error(text);
}

}  // namespace

std::string_view to_string(KernelMessageKind kind) {
  constexpr std::array<std::string_view, kKernelMessageKinds> kNames = {"io_error",
                                                                        "filesystem_error",
                                                                        "filesystem_corruption",
                                                                        "filesystem_shutdown",
                                                                        "filesystem_read_only",
                                                                        "device_timeout",
                                                                        "server_timeout",
                                                                        "hung_task"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<KmsgRecord> parse_kmsg_record(std::string_view record) {
  const auto semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  std::string_view prefix = record.substr(0, semicolon);
  unsigned priority = 0;
  KmsgRecord out;
  if (!take_number(prefix, priority) || !take_prefix(prefix, ",") ||
      !take_number(prefix, out.sequence)) {
    return std::nullopt;
  }
  out.level = priority & 7U;
  out.facility = priority >> 3U;
  out.text = record.substr(semicolon + 1);
  // What follows are the dictionary's "KEY=value" lines.
  out.text = out.text.substr(0, out.text.find('\n'));
  return out;
}

std::string mounted_ext4(const KmsgRecord& record) {
  std::string_view text = record.text;
  if (record.facility != 0 || !take_prefix(text, "EXT4-fs (")) return {};
  std::string device = name_before(text, ")");
  return text.substr(device.size()).starts_with("): mounted filesystem") ? device : std::string();
}

std::optional<KernelMessage> KernelMessageParser::next(const KmsgRecord& record) {
  if (record.facility != 0) return std::nullopt;  // anybody's who may write to /dev/kmsg
  if (hung_) {
    if (auto message = hung_task(record.text)) return message;
  }
  if (record.level > kNotice) return std::nullopt;
  std::string_view text = record.text;
  if (!take_prefix(text, "INFO: task ")) return classify(text);

  // "INFO: task postgres:1234 blocked for more than 120 seconds.", or "blocked in I/O wait for more
  // than ..."; what follows may name the owner of a lock, and show its stack (kernel/hung_task.c).
  // A name may hold any character.
  hung_.reset();
  auto end = text.rfind(" blocked for more than ");
  if (end == std::string_view::npos) end = text.rfind(" blocked in I/O wait for more than ");
  const auto colon = text.rfind(':', end);
  if (end == std::string_view::npos || colon == std::string_view::npos) return std::nullopt;
  std::string_view digits = text.substr(colon + 1);
  pid_t task = 0;
  if (!take_number(digits, task)) return std::nullopt;
  if (std::string device = device_of_thread(text.substr(0, colon)); !device.empty()) {
    return KernelMessage{KernelMessageKind::kHungTask, std::move(device), {}, task};
  }
  hung_ = {task, kStackLines};
  return std::nullopt;
}

std::optional<KernelMessage> KernelMessageParser::hung_task(std::string_view text) {
  const pid_t task = hung_->task;
  const bool here = is_of_storage(function_in(text));
  if (here || --hung_->lines_left == 0) hung_.reset();
  if (!here) return std::nullopt;
  return KernelMessage{KernelMessageKind::kHungTask, {}, {}, task};
}

}  // namespace volumeter
