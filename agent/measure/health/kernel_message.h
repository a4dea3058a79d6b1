// What a line of the kernel's log says about storage.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace volumeter {

// A record as one read of /dev/kmsg gives it (kernel: Documentation/ABI/testing/dev-kmsg).
struct KmsgRecord {
  unsigned level = 0;     // 0 (emergency) to 7 (debug)
  unsigned facility = 0;  // 0: the kernel itself; others were written by processes
  std::uint64_t sequence = 0;
  std::string_view text;  // of the message; into the record
};
std::optional<KmsgRecord> parse_kmsg_record(std::string_view record);

enum class KernelMessageKind {
  kIoError,
  kFilesystemError,
  kFilesystemCorruption,
  kFilesystemShutdown,
  kFilesystemReadOnly,
  kDeviceTimeout,
  kServerTimeout,
  kHungTask,
};
inline constexpr std::size_t kKernelMessageKinds = 8;
std::string_view to_string(KernelMessageKind kind);  // as the label says it: "io_error"

struct KernelMessage {
  KernelMessageKind kind = KernelMessageKind::kIoError;
  std::string device;         // "sda1"; an nvme controller's: "nvme0"; empty: not said
  std::string server;         // of kServerTimeout: as it is in mount sources before the ':'
  std::optional<pid_t> task;  // of kHungTask, in the host's pid namespace
};

// The device of an ext4 that the record says was mounted: "EXT4-fs (sda1): mounted filesystem ...".
// Empty for other records.
std::string mounted_ext4(const KmsgRecord& record);

// Reads records in their order: what a task hangs in shows some lines below the one that says that
// it does. Not thread-safe. Never keeps or gives away the text: it may hold names of files.
class KernelMessageParser {
 public:
  std::optional<KernelMessage> next(const KmsgRecord& record);

 private:
  std::optional<KernelMessage> hung_task(std::string_view text);

  struct Hung {
    pid_t task;
    int lines_left;
  };
  std::optional<Hung> hung_;
};

}  // namespace volumeter
