// Whose a call is, and what it adds to that volume's account. For call.bpf.c.
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
// After linux/bpf.h.
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

#define CO_RE __attribute__((preserve_access_index))

struct super_block {
  __u32 s_dev;
} CO_RE;
struct inode {
  unsigned long i_ino;
} CO_RE;
struct dentry {
  struct dentry* d_parent;
  struct inode* d_inode;
} CO_RE;
struct vfsmount {
  struct dentry* mnt_root;
  struct super_block* mnt_sb;
} CO_RE;
struct path {
  struct vfsmount* mnt;
} CO_RE;
struct file {
  struct path f_path;
  unsigned int f_flags;
} CO_RE;

static __noinline struct call_entry* find(__u32 device, __u64 inode) {
  const __u32 table = shared.call.active & 1;
  const __u32 hash = block_hash(device, inode);
#pragma unroll
  for (__u32 i = 0; i < CALL_PROBES; i++) {
    struct call_entry* entry = &shared.call.tables[table][(hash + i) & (CALL_ENTRIES - 1)];
    if (entry->device == device && entry->inode == inode) return entry;
    if (entry->device == 0) break;
  }
  return 0;
}

static __noinline struct call_entry* find_volume(struct file* file) {
  struct vfsmount* mount = BPF_CORE_READ(file, f_path.mnt);
  const __u32 device = BPF_CORE_READ(mount, mnt_sb, s_dev);
  struct call_entry* entry = device ? find(device, 0) : 0;
  if (!entry || entry->slot != CALL_SHARED) return entry;
  // A container's subPath, or a directory of its hostPath, lies beneath the volume's.
  struct dentry* at = BPF_CORE_READ(mount, mnt_root);
  for (int i = 0; i < CALL_DEPTH; i++) {
    const __u64 inode = BPF_CORE_READ(at, d_inode, i_ino);
    entry = inode ? find(device, inode) : 0;
    if (entry) return entry;
    struct dentry* parent = BPF_CORE_READ(at, d_parent);
    if (parent == at) break;
    at = parent;
  }
  return 0;
}

static __always_inline struct block_busy* busy_of(__u32 block_slot) {
  return &shared.block.busy[block_slot & (BLOCK_SLOTS - 1)];
}

static __always_inline void leave(const struct call* call) {
  if (call->block_slot == CALL_NO_DEVICE) return;
  __sync_fetch_and_add(&busy_of(call->block_slot)->waiting, -1);
}

// `file` 0: it isn't known before the end.
static __noinline int begin(const struct call_key* key, struct file* file, __u32 operation) {
  if (!key) return 0;
  // The end of an earlier one was never told: its program wasn't attached then.
  struct call* before = bpf_map_lookup_elem(&under_way, key);
  if (before) {
    leave(before);
    bpf_map_delete_elem(&under_way, key);
  }
  struct call call = {.slot = CALL_SHARED, .block_slot = CALL_NO_DEVICE, .operation = operation};
  if (file) {
    struct call_entry* entry = find_volume(file);
    if (!entry) return 0;
    call.slot = entry->slot;
    call.generation = shared.call.generations[entry->slot & (CALL_SLOTS - 1)];
    if (operation == CALL_SYNC) call.block_slot = entry->block_slot;
  }
  call.ns = bpf_ktime_get_ns();
  if (call.block_slot != CALL_NO_DEVICE) {
    struct block_busy* busy = busy_of(call.block_slot);
    // What was before isn't this one's.
    if (__sync_fetch_and_add(&busy->waiting, 1) == 0) busy->until = call.ns;
    call.busy_ns = busy->busy_ns;
    call.device_ns = busy->device_ns;
    call.queue_ns = busy->queue_ns;
  }
  if (bpf_map_update_elem(&under_way, key, &call, BPF_ANY) != 0) {
    leave(&call);
    __sync_fetch_and_add(&shared.call.lost, 1);
  }
  return 0;
}

// Of the time in which the device had something to do, requests spent so much waiting for it.
static __always_inline void split(struct call_cell* cell, const struct call* call, __u64 ns) {
  struct block_busy* busy = busy_of(call->block_slot);
  __u64 block = busy->busy_ns - call->busy_ns;
  if (block > ns) block = ns;
  const __u64 device = busy->device_ns - call->device_ns;
  const __u64 queue = busy->queue_ns - call->queue_ns;
  const __u64 queued = device + queue ? block * ((queue << 10) / (device + queue)) >> 10 : 0;
  __sync_fetch_and_add(&cell->device_ns, block - queued);
  __sync_fetch_and_add(&cell->queue_ns, queued);
  __sync_fetch_and_add(&cell->above_ns, ns - block);
}

// `file`: where begin() didn't know it.
static __noinline int end(const struct call_key* key, struct file* file) {
  if (!key) return 0;
  struct call* call = bpf_map_lookup_elem(&under_way, key);
  if (!call) return 0;
  const __u64 ns = bpf_ktime_get_ns() - call->ns;
  __u32 slot = call->slot;
  if (slot == CALL_SHARED && file) {
    struct call_entry* entry = find_volume(file);
    if (entry) slot = entry->slot;
  } else if (call->generation != shared.call.generations[slot & (CALL_SLOTS - 1)]) {
    slot = CALL_SHARED;  // somebody else's by now
  }
  if (slot < CALL_SLOTS) {
    struct call_cell* cell = shared.call.cells[slot & (CALL_SLOTS - 1)];
    // Linux 6.1's verifier loses the bounds of slot and shard when the compiler joins them.
    asm volatile("" : "+r"(cell));
    cell += bpf_get_smp_processor_id() & (CALL_SHARDS - 1);
    const __u32 operation = call->operation;
    if (operation < CALL_OPERATIONS) {
      struct call_times* times = &cell->operations[operation];
      const __u32 bucket = bucket_of(ns);
      if (bucket < BLOCK_BUCKETS) __sync_fetch_and_add(&times->buckets[bucket], 1);
      __sync_fetch_and_add(&times->ns, ns);
    }
    if (call->block_slot != CALL_NO_DEVICE) split(cell, call, ns);
  }
  leave(call);
  bpf_map_delete_elem(&under_way, key);
  return 0;
}
