// What call.bpf.c and the daemon share, and with it all that the programs share with the daemon:
// one piece of memory that both map. C, for both.
#pragma once

#include "block_record.h"

#define CALL_SLOTS 512     // a power of 2
#define CALL_SHARDS 4      // a power of 2
#define CALL_ENTRIES 2048  // a power of 2
#define CALL_PROBES 8
#define CALL_UNDER_WAY 8192
#define CALL_DEPTH 16  // directories above a mount's root that may be a volume's

enum call_operation { CALL_SYNC, CALL_READ, CALL_WRITE, CALL_OPERATIONS };

// call_entry.slot: several volumes share the filesystem, each directory has an entry of its own.
#define CALL_SHARED 0xffffu
// call_entry.block_slot: nobody knows which one block device the filesystem lies on.
#define CALL_NO_DEVICE 0xffffu

// inode 0: a whole filesystem, and the sign that one of its volumes is watched; else a directory of
// it. device 0: an empty entry.
struct call_entry {
  __u64 inode;
  __u32 device;  // of the superblock, as dev_t in the kernel
  __u16 slot;
  __u16 block_slot;  // in block_memory
};

struct call_times {
  __u64 buckets[BLOCK_BUCKETS];
  __u64 ns;
};

struct call_cell {
  struct call_times operations[CALL_OPERATIONS];
  // Of the syncs' time, where it could be told: the volume's device was at work, requests waited
  // for it, it had nothing to do.
  __u64 device_ns;
  __u64 queue_ns;
  __u64 above_ns;
} __attribute__((aligned(64)));

struct call_memory {
  __u32 active;  // which of the tables is in use; the daemon changes the other one
  __u32 unused;
  __u64 lost;  // calls that weren't timed, because too many were under way
  struct call_entry tables[2][CALL_ENTRIES];
  __u16 generations[CALL_SLOTS];  // another one each time that a slot changes hands
  struct call_cell cells[CALL_SLOTS][CALL_SHARDS];
};

struct latency_memory {
  struct block_memory block;
  struct call_memory call;
};
