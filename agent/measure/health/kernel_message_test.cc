#include "measure/health/kernel_message.h"

#include <gtest/gtest.h>

#include <vector>

namespace volumeter {
namespace {

// "<priority>,<sequence>,<microseconds>,<flags>;<text>": as /dev/kmsg says it.
std::optional<KernelMessage> said(const std::string& text, unsigned level = 3) {
  const std::string record = std::to_string(level) + ",77,123456789,-;" + text + "\n";
  KernelMessageParser parser;
  const auto parsed = parse_kmsg_record(record);
  return parsed ? parser.next(*parsed) : std::nullopt;
}

struct Line {
  const char* text;
  KernelMessageKind kind;
  const char* device;
};

// As kernels 5.10 to 6.18 print them.
TEST(KernelMessageTest, SaysWhatHappenedToWhichDevice) {
  using enum KernelMessageKind;
  const std::vector<Line> lines = {
      {"I/O error, dev loop0, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2",
       kIoError, "loop0"},
      {"blk_update_request: I/O error, dev sda, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1",
       kIoError, "sda"},
      {"critical medium error, dev sdc, sector 34 op 0x0:(READ) flags 0x80700 phys_seg 2", kIoError,
       "sdc"},
      {"Buffer I/O error on dev sda1, logical block 0, async page read", kIoError, "sda1"},
      {"EXT4-fs error (device loop0): ext4_lookup:1789: inode #2: comm ls: deleted inode "
       "referenced",
       kFilesystemError, "loop0"},
      {"EXT4-fs error (device dm-3) in ext4_evict_inode:254: Corrupt filesystem", kFilesystemError,
       "dm-3"},
      {"EXT4-fs warning (device sdb): ext4_end_bio:343: I/O error 10 writing to inode 12", kIoError,
       "sdb"},
      {"EXT4-fs (loop0): shut down requested (2)", kFilesystemShutdown, "loop0"},
      {"EXT4-fs (sdb): Remounting filesystem read-only", kFilesystemReadOnly, "sdb"},
      {"EXT4-fs (sdb): I/O error while writing superblock", kIoError, "sdb"},
      {"JBD2: Detected IO errors while flushing file data on dm-1-8", kIoError, "dm-1"},
      {"JBD2: Detected IO errors -5 while flushing file data on dm-1-8", kIoError, "dm-1"},
      {"dm-3: writeback error on inode 131, offset 0, sector 2048", kIoError, "dm-3"},
      {"EXT4-fs (sdb): Delayed block allocation failed for inode 12 at logical offset 0 with max "
       "blocks 2 with error 5",
       kIoError, "sdb"},
      {"XFS (dm-0): Metadata corruption detected at xfs_agi_verify+0xe9/0x200, xfs_agi block 0x2",
       kFilesystemCorruption, "dm-0"},
      {"XFS (loop1): Metadata CRC error detected at xfs_dir3_block_read_verify+0x71/0x100",
       kFilesystemCorruption, "loop1"},
      {"XFS (loop0): metadata I/O error in \"xfs_read_agi+0x9d/0x180\" at daddr 0x2 len 1 error "
       "117",
       kIoError, "loop0"},
      {"XFS (loop0): Corruption of in-memory data (0x8) detected at xfs_fs_reserve_ag_blocks+0x8e  "
       "(fs/xfs/xfs_fsops.c:566).  Shutting down filesystem.",
       kFilesystemShutdown, "loop0"},
      {"XFS (sdb): Log I/O Error Detected.  Shutting down filesystem", kFilesystemShutdown, "sdb"},
      {"BTRFS error (device sdb): bdev /dev/sdb errs: wr 1, rd 0, flush 0, corrupt 0, gen 0",
       kIoError, "sdb"},
      {"BTRFS: error (device loop0 state EA) in btrfs_commit_transaction:2494: errno=-5 IO failure",
       kFilesystemError, "loop0"},
      {"BTRFS warning (device loop0): csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2",
       kFilesystemCorruption, "loop0"},
      {"BTRFS critical (device loop0): corrupt leaf: root=1 block=30490624 slot=0",
       kFilesystemCorruption, "loop0"},
      {"nvme nvme0: I/O 23 QID 5 timeout, aborting", kDeviceTimeout, "nvme0"},
      {"nvme nvme1: I/O tag 13 (100d) opcode 0x1 (I/O Cmd) QID 3 timeout, reset controller",
       kDeviceTimeout, "nvme1"},
      {"sd 0:0:0:0: [sda] tag#3 timing out command, waited 180s", kDeviceTimeout, "sda"},
      {"block nbd0: Connection timed out", kDeviceTimeout, "nbd0"},
      {"INFO: task jbd2/sda1-8:345 blocked for more than 120 seconds.", kHungTask, "sda1"},
      {"INFO: task xfsaild/dm-0:5 blocked for more than 241 seconds.", kHungTask, "dm-0"}};
  for (const Line& line : lines) {
    const auto message = said(line.text);
    ASSERT_TRUE(message) << line.text;
    EXPECT_EQ(message->kind, line.kind) << line.text;
    EXPECT_EQ(message->device, line.device) << line.text;
  }
}

TEST(KernelMessageTest, AServerThatDoesNotRespondIsNamed) {
  const auto message = said("nfs: server storage.example not responding, still trying", 5);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, KernelMessageKind::kServerTimeout);
  EXPECT_EQ(message->server, "storage.example");
}

TEST(KernelMessageTest, OtherLinesAreNothing) {
  for (const char* text :
       {"EXT4-fs (loop0): mounted filesystem r/w with ordered data mode. Quota mode: none.",
        "EXT4-fs warning (device loop0): ext4_clear_journal_err:6350: Filesystem error recorded",
        "XFS (loop0): Unmount and run xfs_repair", "XFS (loop0): Mounting V5 Filesystem 68",
        "XFS (loop0): User initiated shutdown received.", "BTRFS info (device loop0): using crc32c",
        "operation not supported error, dev loop1, sector 0 op 0x9:(WRITE_ZEROES)",
        "critical target error, dev sda, sector 2048 op 0x3:(DISCARD) flags 0x0 phys_seg 1",
        "nonblocking retry error, dev sda, sector 0 op 0x0:(READ) flags 0x0",
        "INFO: task db:12 is blocked on a mutex likely owned by task web:7.",
        "nvme nvme0: pci function 0000:00:04.0", "I/O error, dev ", "XFS (",
        "EXT4-fs error (device", "sd 0:0:0:0: [sda] Attached SCSI disk", "INFO: task ",
        "INFO: task x blocked", ""}) {
    EXPECT_FALSE(said(text)) << text;
  }
}

TEST(KernelMessageTest, WhatIsTooLongForANameIsNone) {
  const std::string name(65, 'x');
  for (const std::string& text :
       {"JBD2: Detected IO errors while flushing file data on " + name + "-8",
        "block nbd" + name.substr(3) + ": Connection timed out",
        name + ": writeback error on inode 12",
        "INFO: task jbd2/" + name + "-8:12 blocked for more than 120 seconds."}) {
    EXPECT_FALSE(said(text)) << text;
  }
}

TEST(KernelMessageTest, AnExt4ThatIsMountedIsNamed) {
  const auto mounted = [](const std::string& record) {
    return mounted_ext4(*parse_kmsg_record(record));
  };
  EXPECT_EQ(mounted("6,1,1,-;EXT4-fs (loop0): mounted filesystem f563 r/w with ordered data"),
            "loop0");
  EXPECT_EQ(mounted("6,1,1,-;EXT4-fs (sda1): mounted filesystem with ordered data mode. Opts:"),
            "sda1");
  EXPECT_EQ(mounted("6,1,1,-;EXT4-fs (loop0): re-mounted f563."), "");
  EXPECT_EQ(mounted("14,1,1,-;EXT4-fs (loop0): mounted filesystem forged"), "");
  EXPECT_EQ(mounted("6,1,1,-;EXT4-fs ("), "");
}

// Whoever may write to /dev/kmsg can write what looks like any line.
TEST(KernelMessageTest, OnlyTheKernelsOwnWordsCount) {
  EXPECT_FALSE(said("EXT4-fs error (device sda): forged", (1U << 3U) | 3U));
  EXPECT_TRUE(said("EXT4-fs error (device sda): real", 3U));
}

TEST(KernelMessageTest, ATaskHangsInStorageIfItsStackSaysSo) {
  const auto follow = [](const std::vector<std::string>& lines) {
    KernelMessageParser parser;
    std::vector<KernelMessage> messages;
    for (const std::string& line : lines) {
      const std::string record = "6,1,1,-;" + line;
      auto parsed = parse_kmsg_record(record);
      if (line.starts_with("INFO")) parsed->level = 3;
      if (const auto message = parser.next(*parsed)) messages.push_back(*message);
    }
    return messages;
  };
  const std::string head = "INFO: task odd: blocked :4242 blocked for more than 120 seconds.";
  const auto found = follow({head, "      Not tainted 6.1.0", " __schedule+0x2b0/0x9f0",
                             " ? xfs_file_fsync+0x1/0x2", " ext4_sync_file+0x12/0x30 [ext4]"});
  ASSERT_EQ(found.size(), 1U) << "one task, one message";
  EXPECT_EQ(found[0].kind, KernelMessageKind::kHungTask);
  EXPECT_EQ(found[0].task, 4242);
  EXPECT_TRUE(follow({head, " __schedule+0x2b0/0x9f0", " pipe_read+0x1/0x2"}).empty());
  EXPECT_TRUE(follow({head, " __schedule+0x2b0/0x9f0", " ? ext4_sync_file+0x12/0x30"}).empty());
  EXPECT_TRUE(follow({head, " mutex_lock+0x1/0x2",
                      "INFO: task odd:4242 is blocked on a mutex likely owned by task web:7.",
                      " ext4_sync_file+0x12/0x30"})
                  .empty())
      << "that is the owner's stack";
}

TEST(KernelMessageTest, ARecordHasItsNumberAndItsFirstLine) {
  const auto record = parse_kmsg_record("6,339,5140900,-;NET: text\n SUBSYSTEM=net\n DEVICE=n2\n");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->level, 6U);
  EXPECT_EQ(record->facility, 0U);
  EXPECT_EQ(record->sequence, 339U);
  EXPECT_EQ(record->text, "NET: text");
  for (const char* wrong : {"", "6", "6,1", ";text", "x,1,1,-;text", "6,,1,-;text"}) {
    EXPECT_FALSE(parse_kmsg_record(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace volumeter
