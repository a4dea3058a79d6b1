// What the BPF program writes for each descriptor; C, because both sides read it.
#pragma once

#include <linux/types.h>

// How many directories up a file is looked for. Deeper ones are missed: the sum is a lower bound.
#define DELETED_DEPTH 40

// A file whose size couldn't be told.
#define DELETED_UNKNOWN (~(__u64)0)

// In bytes from the beginning of a struct xfs_inode.
struct xfs_offsets {
  __u32 inode;    // i_vnode
  __u32 blocks;   // i_nblocks
  __u32 delayed;  // i_delayed_blks
};

struct deleted_record {
  __u64 device;  // the kernel's own dev_t: major << 20 | minor
  __u64 inode;
  __u64 bytes;
  __u64 above[DELETED_DEPTH];  // the directories that it was in, nearest first; 0: no more
};
