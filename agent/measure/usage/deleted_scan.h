// Bytes that deleted files hold because somebody has them open: in no directory any more, so no
// walk and no du finds them, but the disk is full of them. Each file counts once. A lower bound:
// files deeper than DELETED_DEPTH directories, mapped and closed, or beyond kMostDeletedFiles are
// missed.
//
// Runs in a process of its own (deleted_worker_main): giving back the last reference to somebody's
// file can sleep for ever on a filesystem that hangs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "volumeter/mount_entry.h"
#include "volumeter/result.h"

namespace volumeter {

// Where to look: a directory by its inode, or a whole filesystem.
struct DeletedPlace {
  DeviceNumber device;      // of the mount table
  std::uint64_t inode = 0;  // of the directory; 0: the whole filesystem
  std::string root;         // of the directory in its filesystem; "/" with inode 0
};

// So many files are told apart, in at most 10 MiB; more aren't counted.
inline constexpr std::size_t kMostDeletedFiles = 100'000;
inline constexpr std::uint64_t kUnknownBytes = ~std::uint64_t{0};

class DeletedScan {
 public:
  virtual ~DeletedScan() = default;
  // Bytes for each place, in their order; a file below two places counts for both. kUnknownBytes
  // where the size of a file couldn't be told.
  virtual Result<std::vector<std::uint64_t>> scan(const std::vector<DeletedPlace>& places) = 0;
};

// BPF's iterator over all tasks' files. An error where the kernel (before 5.8, or without BTF) or
// missing capabilities (CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN) don't let it. Forks: only for a
// process without threads.
Result<std::unique_ptr<DeletedScan>> make_bpf_scan();

// /proc/*/fd: slower by far. Its scans fail without CAP_SYS_PTRACE, which would hide most files.
std::unique_ptr<DeletedScan> make_proc_scan();

// argv[2] of the process.
inline constexpr const char* kDeletedWorker = "files";
// The process: answers scans over the socket kWorkerSocket until the daemon closes it. Returns the
// exit code.
int deleted_worker_main();

// What the two ends send each other, in one message each way.
std::vector<std::byte> encode_places(const std::vector<DeletedPlace>& places);
Result<std::vector<DeletedPlace>> decode_places(const std::vector<std::byte>& message);
struct DeletedAnswer {
  std::int32_t error = 0;  // errno
  std::vector<std::uint64_t> bytes;
};
std::vector<std::byte> encode_answer(const DeletedAnswer& answer);
Result<DeletedAnswer> decode_answer(const std::vector<std::byte>& message);
// As many places as fit into a message are asked for.
inline constexpr std::size_t kMaxDeletedMessage = 160 << 10;

}  // namespace volumeter
