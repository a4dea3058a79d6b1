// What all programs share: the maps, whichever of them is loaded first, and the buckets. After
// linux/bpf.h and bpf/bpf_helpers.h.
#pragma once

#include "call_record.h"

struct latency_memory shared;

struct started {
  __u64 ns;
  __u16 slot;         // of a bio: the device it was for, which may be another when it completes
  __u16 device_slot;  // the whole device's, should that one be a pod's
  __u16 kind;
  __u16 unused;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, BLOCK_IN_FLIGHT);
  __type(key, __u64);  // the address of a request or bio
  __type(value, struct started);
} in_flight SEC(".maps");

struct call_key {
  __u64 who;  // a thread, or an io_uring request's address
};

struct call {
  __u64 ns;
  // What the device's account was then (struct block_busy).
  __u64 busy_ns;
  __u64 device_ns;
  __u64 queue_ns;
  __u16 slot;
  __u16 block_slot;
  __u16 operation;
  __u16 generation;  // of the slot
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, CALL_UNDER_WAY);
  __type(key, struct call_key);
  __type(value, struct call);
} under_way SEC(".maps");

static __always_inline __u32 bucket_of(__u64 ns) {
  const __u64 bounds[BLOCK_BUCKETS - 1] = BLOCK_BOUNDS;
  __u32 bucket = 0;
#pragma unroll
  for (int i = 0; i < BLOCK_BUCKETS - 1; i++) bucket += ns > bounds[i];
  return bucket;
}
