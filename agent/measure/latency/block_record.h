// What block.bpf.c and the daemon share, in memory that both map. The daemon fills in which devices
// to watch; the programs count. C, for both.
//
// Its size doesn't depend on the number of CPUs: CPUs share BLOCK_SHARDS copies of each counter.
#pragma once

#include <linux/types.h>

#define BLOCK_BUCKETS 15    // 14 bounds, and above
#define BLOCK_SLOTS 512     // a power of 2
#define BLOCK_SHARDS 8      // a power of 2
#define BLOCK_ENTRIES 4096  // a power of 2
#define BLOCK_PROBES 16
#define BLOCK_IN_FLIGHT 16384

// Upper bounds in nanoseconds: those of the metrics (docs/metrics.md).
#define BLOCK_BOUNDS                                                                     \
  {                                                                                      \
    20000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, \
        100000000, 500000000, 2000000000, 10000000000                                    \
  }

enum block_kind { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_OTHER };

// block_entry.flags
#define BLOCK_BIO_BASED 1u  // the device has bios, and no requests
#define BLOCK_SPLIT 2u      // some of its I/O is counted by cgroup: there are more entries

// cgroup 0: the device's own. device 0: an empty entry.
struct block_entry {
  __u64 cgroup;
  __u32 device;  // as dev_t in the kernel: major << 20 | minor
  __u16 slot;
  __u16 flags;
};

struct block_operation {
  __u64 buckets[BLOCK_BUCKETS];
  __u64 device_ns;  // from when the device was given it to its completion
  __u64 queue_ns;   // before that, from when the request was made
};

struct block_cell {
  struct block_operation operations[2];  // BLOCK_READ, BLOCK_WRITE
  __u64 flushes;
  __u64 flush_ns;
  __u64 untimed;                 // completions that nobody knows the start of
  __u64 errors;                  // of reads, writes and flushes, by the device's own slot
} __attribute__((aligned(64)));  // a copy's neighbour is another CPU's

// How long a device had something to do, kept while somebody waits for a sync: what call.bpf.c
// splits waits by. By when requests completed, so it goes forward only.
struct block_busy {
  __u64 until;      // up to here it is counted
  __u64 busy_ns;    // some request was waiting for the device, or at it
  __u64 device_ns;  // sums over requests: at the device
  __u64 queue_ns;   // and before that
  __u32 waiting;    // syncs under way
  __u32 unused;
} __attribute__((aligned(64)));

struct block_memory {
  __u32 active;         // which of the tables is in use; the daemon changes the other one
  __u32 issuing;        // block_rq_issue is attached
  __u64 without_start;  // completions of requests that didn't know when the device was given them
  struct block_entry tables[2][BLOCK_ENTRIES];
  struct block_cell cells[BLOCK_SLOTS][BLOCK_SHARDS];
  struct block_busy busy[BLOCK_SLOTS];  // by a device's own slot
};

// Where the search for an entry begins; it goes on for BLOCK_PROBES entries.
static inline __u32 block_hash(__u32 device, __u64 cgroup) {
  __u64 mixed = (device + cgroup * 31) * 0x9E3779B97F4A7C15ull;
  return (__u32)(mixed >> 40);
}
