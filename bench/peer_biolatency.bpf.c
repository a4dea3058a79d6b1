// The peer of bench_io: what biolatency does, a timestamp by request in a hash map at issue, taken
// out at completion, into a histogram of powers of two by device.
#include <linux/bpf.h>
#include <linux/types.h>
// After linux/bpf.h.
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define CO_RE __attribute__((preserve_access_index))

struct block_device {
  __u32 bd_dev;
} CO_RE;
struct request {
  struct block_device* part;
} CO_RE;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 10240);
  __type(key, __u64);
  __type(value, __u64);
} start SEC(".maps");

struct histogram {
  __u64 slots[32];
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, struct histogram);
} histograms SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/block_rq_issue")
int BPF_PROG(peer_issue, struct request* rq) {
  const __u64 key = (__u64)rq;
  const __u64 now = bpf_ktime_get_ns();
  bpf_map_update_elem(&start, &key, &now, BPF_ANY);
  return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(peer_complete, struct request* rq, int error, unsigned int bytes) {
  const __u64 key = (__u64)rq;
  __u64* since = bpf_map_lookup_elem(&start, &key);
  if (!since) return 0;
  __u64 us = (bpf_ktime_get_ns() - *since) / 1000;
  bpf_map_delete_elem(&start, &key);
  struct block_device* part = rq->part;
  const __u32 device = part ? part->bd_dev : 0;
  struct histogram* histogram = bpf_map_lookup_elem(&histograms, &device);
  if (!histogram) {
    static const struct histogram empty;
    bpf_map_update_elem(&histograms, &device, &empty, BPF_NOEXIST);
    histogram = bpf_map_lookup_elem(&histograms, &device);
    if (!histogram) return 0;
  }
  __u32 slot = 0;
#pragma unroll
  for (int shift = 16; shift; shift >>= 1) {
    if (us >> shift) {
      us >>= shift;
      slot += shift;
    }
  }
  __sync_fetch_and_add(&histogram->slots[slot & 31], 1);
  return 0;
}
