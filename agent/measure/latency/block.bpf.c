// Counts completed block I/O by device and time, for block_memory.h. Each program is loaded and
// attached by itself.
//
// A request knows its own times: start_time_ns, when it was made, where the queue accounts I/O
// (RQF_IO_STAT; else the field is another request's), and io_start_time_ns, when the device was
// given it, where the queue keeps statistics (RQF_STATS). block_rq_issue is for the queues that
// don't. Kernel: include/linux/blk-mq.h, block/blk-mq.c (blk_mq_start_request, blk_update_request).
//
// Only the fields that are read are declared; libbpf finds them in the running kernel (CO-RE).
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/types.h>
// After linux/bpf.h.
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.bpf.h"

#define CO_RE __attribute__((preserve_access_index))

struct kernfs_node {
  __u64 id;
} CO_RE;
struct cgroup {
  struct kernfs_node* kn;
} CO_RE;
struct cgroup_subsys_state {
  struct cgroup* cgroup;
  struct cgroup_subsys_state* parent;
} CO_RE;
struct blkcg {
  struct cgroup_subsys_state css;
} CO_RE;
struct blkcg_gq {
  struct blkcg* blkcg;
} CO_RE;
struct gendisk;
struct block_device {
  struct gendisk* bd_disk;
  __u32 bd_dev;
} CO_RE;
struct gendisk {
  struct block_device* part0;
} CO_RE;
struct bvec_iter {
  unsigned int bi_size;
} CO_RE;
struct bio {
  struct block_device* bi_bdev;
  unsigned int bi_opf;
  __u8 bi_status;
  struct bvec_iter bi_iter;
  struct blkcg_gq* bi_blkg;
} CO_RE;
struct request_queue {
  struct gendisk* disk;  // since 5.15
} CO_RE;
struct request {
  struct request_queue* q;
  unsigned int cmd_flags;
  __u32 rq_flags;
  unsigned int __data_len;
  struct bio* bio;
  struct block_device* part;
  __u64 start_time_ns;
  __u64 io_start_time_ns;
} CO_RE;
struct request___before_5_17 {
  struct gendisk* rq_disk;
} CO_RE;
enum rqf_flags { __RQF_IO_STAT, __RQF_STATS };  // since 6.11; before, the bits were these:
#define OLD_RQF_IO_STAT 13
#define OLD_RQF_STATS 17
enum req_flag_bits { __REQ_PREFLUSH };

#define REQ_OP_MASK 0xff
enum { OP_READ, OP_WRITE, OP_FLUSH };  // include/linux/blk_types.h, enum req_op
enum { STS_NOTSUPP = 1, STS_AGAIN = 12 };

// Set before loading, by a test: as if no queue kept statistics.
const volatile int ignore_statistics = 0;

static __always_inline struct block_entry* find(__u32 device, __u64 cgroup) {
  if (!device) return 0;  // of a hidden disk; and what an empty entry has
  const __u32 table = shared.block.active & 1;
  const __u32 hash = block_hash(device, cgroup);
#pragma unroll
  for (__u32 i = 0; i < BLOCK_PROBES; i++) {
    struct block_entry* entry = &shared.block.tables[table][(hash + i) & (BLOCK_ENTRIES - 1)];
    if (entry->device == device && entry->cgroup == cgroup) return entry;
    if (entry->device == 0) break;
  }
  return 0;
}

// A container's cgroup, or one that it made, lies some levels beneath the pod's.
static __always_inline struct block_entry* find_pod(struct block_entry* own, struct bio* bio) {
  if (!bio) return own;
  struct blkcg_gq* group = bio->bi_blkg;
  if (!group) return own;
  struct cgroup_subsys_state* css = &group->blkcg->css;
  for (int level = 0; level < 4; level++) {
    struct block_entry* entry = find(own->device, css->cgroup->kn->id);
    if (entry) return entry;
    css = css->parent;
    if (!css) break;
  }
  return own;
}

static __always_inline struct block_cell* cell_of(__u32 slot) {
  struct block_cell* cell = shared.block.cells[slot & (BLOCK_SLOTS - 1)];
  // Linux 6.1's verifier loses the bounds of slot and shard when the compiler joins them.
  asm volatile("" : "+r"(cell));
  return cell + (bpf_get_smp_processor_id() & (BLOCK_SHARDS - 1));
}

static __always_inline void count(__u32 slot, __u32 kind, __u64 device_ns, __u64 queue_ns) {
  struct block_cell* cell = cell_of(slot);
  if (kind == BLOCK_FLUSH) {
    __sync_fetch_and_add(&cell->flushes, 1);
    __sync_fetch_and_add(&cell->flush_ns, device_ns);
    return;
  }
  struct block_operation* operation = &cell->operations[kind & 1];
  const __u32 bucket = bucket_of(device_ns);
  if (bucket < BLOCK_BUCKETS) __sync_fetch_and_add(&operation->buckets[bucket], 1);
  __sync_fetch_and_add(&operation->device_ns, device_ns);
  if (queue_ns) __sync_fetch_and_add(&operation->queue_ns, queue_ns);
}

// While somebody waits for a sync on the device: that it had this to do. Requests that wait behind
// each other's flushes wait for the device.
static __always_inline void occupy(__u32 slot, __u64 start, __u64 device_start, __u64 now) {
  struct block_busy* busy = &shared.block.busy[slot & (BLOCK_SLOTS - 1)];
  if (!busy->waiting) return;
  __sync_fetch_and_add(&busy->device_ns, now - device_start);
  if (device_start > start) __sync_fetch_and_add(&busy->queue_ns, device_start - start);
  // Requests complete on several CPUs at a time; each moment counts once.
  __u64 until = busy->until;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const __u64 from = start > until ? start : until;
    if (from >= now) return;
    const __u64 seen = __sync_val_compare_and_swap(&busy->until, until, now);
    if (seen == until) {
      __sync_fetch_and_add(&busy->busy_ns, now - from);
      return;
    }
    until = seen;
  }
}

static __always_inline int has_flag(struct request* rq, int is_stats) {
  if (bpf_core_enum_value_exists(enum rqf_flags, __RQF_STATS)) {
    const __u64 bit = is_stats ? bpf_core_enum_value(enum rqf_flags, __RQF_STATS)
                               : bpf_core_enum_value(enum rqf_flags, __RQF_IO_STAT);
    return rq->rq_flags >> bit & 1;
  }
  return rq->rq_flags >> (is_stats ? OLD_RQF_STATS : OLD_RQF_IO_STAT) & 1;
}

static __always_inline __u32 disk_of(struct request* rq) {
  if (bpf_core_field_exists(rq->q->disk)) return rq->q->disk->part0->bd_dev;
  struct request___before_5_17* old = (void*)rq;
  if (bpf_core_field_exists(old->rq_disk)) return BPF_CORE_READ(old, rq_disk, part0, bd_dev);
  return 0;
}

// A partition that nobody watches is a part of its disk. A flush has none.
static __always_inline struct block_entry* find_device(struct request* rq) {
  struct block_device* part = rq->part;
  if (!part) {
    const __u32 disk = disk_of(rq);
    return disk ? find(disk, 0) : 0;
  }
  struct block_entry* entry = find(part->bd_dev, 0);
  if (entry) return entry;
  const __u32 disk = part->bd_disk->part0->bd_dev;
  return disk != part->bd_dev ? find(disk, 0) : 0;
}

static __always_inline __u32 kind_of(__u32 operation) {
  if (operation == OP_READ) return BLOCK_READ;
  if (operation == OP_WRITE) return BLOCK_WRITE;
  return operation == OP_FLUSH ? BLOCK_FLUSH : BLOCK_OTHER;
}

// A request ends with an errno up to Linux 5.15, then with a blk_status_t (include/linux/
// blk_types.h), as a bio always does. That a device can't do something, or not at once, is no
// error of it.
static __always_inline void count_error(__u32 slot, int error) {
  if (error == 0 || error == STS_NOTSUPP || error == STS_AGAIN) return;
  if (error == -EOPNOTSUPP || error == -EAGAIN) return;
  __sync_fetch_and_add(&cell_of(slot)->errors, 1);
}

// When the device was given the request; 0: not known.
static __always_inline __u64 device_start(struct request* rq, int has_start) {
  const __u64 key = (__u64)rq;
  __u64 ns = 0;
  if (has_flag(rq, 1) && !ignore_statistics) {
    ns = rq->io_start_time_ns;
  } else {
    __sync_fetch_and_add(&shared.block.without_start, 1);
    struct started* issued = 0;
    if (shared.block.issuing || has_start) issued = bpf_map_lookup_elem(&in_flight, &key);
    // An older one is of a request that was here before.
    if (issued && (!has_start || issued->ns >= rq->start_time_ns)) ns = issued->ns;
    if (issued) bpf_map_delete_elem(&in_flight, &key);
    return ns;
  }
  if (shared.block.issuing) bpf_map_delete_elem(&in_flight, &key);
  return ns;
}

// bpf_get_smp_processor_id and others are for any licence; this one is offered under either.
char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/block_rq_complete")
int BPF_PROG(block_rq_complete, struct request* rq, int error, unsigned int bytes) {
  const __u32 kind = kind_of(rq->cmd_flags & REQ_OP_MASK);
  if (kind == BLOCK_OTHER || bytes < rq->__data_len) return 0;  // the latter: a part of a request
  struct block_entry* entry = find_device(rq);
  if (!entry || entry->flags & BLOCK_BIO_BASED) return 0;
  count_error(entry->slot, error);
  const __u64 now = bpf_ktime_get_ns();
  const int has_start = has_flag(rq, 0);
  const __u64 made = rq->start_time_ns;
  // A flush is the driver's own request. One whose flush came first completes without bytes, too:
  // again with its data, if it has any.
  if (kind == BLOCK_FLUSH || bytes == 0) {
    if ((kind == BLOCK_FLUSH || has_start) && made && made <= now) {
      occupy(entry->slot, made, made, now);
    }
    return 0;
  }
  const __u64 start = device_start(rq, has_start);
  const __u64 preflush = bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH);
  const int flushed = rq->cmd_flags >> preflush & 1;
  if (has_start && made <= now) {
    occupy(entry->slot, made, flushed || start < made || start > now ? made : start, now);
  }
  if (entry->flags & BLOCK_SPLIT) entry = find_pod(entry, rq->bio);
  if (start == 0 || start > now) {
    __sync_fetch_and_add(&cell_of(entry->slot)->untimed, 1);
    return 0;
  }
  count(entry->slot, kind, now - start, has_start && made < start ? start - made : 0);
  return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(block_rq_issue, struct request* rq) {
  if (kind_of(rq->cmd_flags & REQ_OP_MASK) > BLOCK_WRITE || !find_device(rq)) return 0;
  const __u64 key = (__u64)rq;
  // Should its memory ever be a bio's, that one's end is not this one's.
  const struct started issued = {.ns = bpf_ktime_get_ns(), .kind = BLOCK_OTHER};
  bpf_map_update_elem(&in_flight, &key, &issued, BPF_ANY);
  return 0;
}

SEC("tp_btf/block_bio_queue")
int BPF_PROG(block_bio_queue, struct bio* bio) {
  struct block_entry* entry = find(bio->bi_bdev->bd_dev, 0);
  if (!entry) entry = find(bio->bi_bdev->bd_disk->part0->bd_dev, 0);
  if (!entry || !(entry->flags & BLOCK_BIO_BASED)) return 0;
  __u32 kind = kind_of(bio->bi_opf & REQ_OP_MASK);
  if (kind == BLOCK_OTHER) return 0;
  if (bio->bi_iter.bi_size == 0) {
    const __u64 preflush = bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH);
    if (!(bio->bi_opf >> preflush & 1)) return 0;
    kind = BLOCK_FLUSH;
  }
  const __u32 device_slot = entry->slot;
  if (entry->flags & BLOCK_SPLIT && kind != BLOCK_FLUSH) entry = find_pod(entry, bio);
  const __u64 key = (__u64)bio;
  const struct started queued = {
      .ns = bpf_ktime_get_ns(), .slot = entry->slot, .device_slot = device_slot, .kind = kind};
  bpf_map_update_elem(&in_flight, &key, &queued, BPF_ANY);
  return 0;
}

SEC("tp_btf/block_bio_complete")
int BPF_PROG(block_bio_complete, struct request_queue* q, struct bio* bio) {
  const __u64 key = (__u64)bio;
  struct started* queued = bpf_map_lookup_elem(&in_flight, &key);
  if (!queued || queued->kind == BLOCK_OTHER) return 0;
  count_error(queued->device_slot, bio->bi_status);
  const __u64 now = bpf_ktime_get_ns();
  if (now >= queued->ns) {
    occupy(queued->device_slot, queued->ns, queued->ns, now);
    count(queued->slot, queued->kind, now - queued->ns, 0);
  }
  bpf_map_delete_elem(&in_flight, &key);
  return 0;
}
