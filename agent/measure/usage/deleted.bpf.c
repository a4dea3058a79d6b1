// Names each open file that has no name any more, for deleted_scan.cc: one record for each
// descriptor. Runs as an iterator over all tasks' files (kernel/bpf/task_iter.c) and touches no
// path.
//
// Only the fields that are read are declared; libbpf finds them in the running kernel (CO-RE).
#include <linux/bpf.h>
#include <linux/types.h>
// After linux/bpf.h.
#include <bpf/bpf_helpers.h>

#include "deleted_record.h"

#define CO_RE __attribute__((preserve_access_index))

struct seq_file;
struct task_struct;
struct super_block {
  __u32 s_dev;
  unsigned char s_blocksize_bits;
  unsigned long s_magic;
} CO_RE;
struct inode {
  __u16 i_mode;
  struct super_block* i_sb;
  unsigned long i_ino;
  unsigned int i_nlink;
  __u64 i_blocks;
} CO_RE;
struct dentry {
  struct dentry* d_parent;
  struct inode* d_inode;
} CO_RE;
struct path {
  struct dentry* dentry;
} CO_RE;
struct file {
  struct path f_path;
  struct inode* f_inode;
} CO_RE;
struct bpf_iter_meta {
  struct seq_file* seq;
} CO_RE;
struct bpf_iter__task_file {
  struct bpf_iter_meta* meta;
  struct task_struct* task;
  __u32 fd;
  struct file* file;
} CO_RE;

#define S_IFMT 0170000
#define S_IFREG 0100000
#define XFS_SUPER_MAGIC 0x58465342

// xfs counts a file's blocks in a structure of its own around the inode (fs/xfs/xfs_inode.h), whose
// types are the module's. Set before loading; blocks 0: not found.
const volatile struct xfs_offsets xfs = {};

static __u64 xfs_count(unsigned long xfs_inode, __u32 offset) {
  __u64 blocks = 0;
  bpf_probe_read_kernel(&blocks, sizeof(blocks), (void*)(xfs_inode + offset));
  return blocks;
}

static __u64 bytes_of(struct file* file, struct inode* inode) {
  if (inode->i_sb->s_magic != XFS_SUPER_MAGIC) return inode->i_blocks * 512;
  if (xfs.blocks == 0) return DELETED_UNKNOWN;
  unsigned long address = 0;  // a plain number, to calculate with
  bpf_probe_read_kernel(&address, sizeof(address), &file->f_inode);
  address -= xfs.inode;
  return (xfs_count(address, xfs.blocks) + xfs_count(address, xfs.delayed))
         << inode->i_sb->s_blocksize_bits;
}

// bpf_seq_write is for programs under the GPL; this one is offered under either licence.
char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("iter/task_file")
int deleted_files(struct bpf_iter__task_file* ctx) {
  struct file* file = ctx->file;
  if (!file) return 0;
  struct inode* inode = file->f_inode;
  if (inode->i_nlink != 0 || (inode->i_mode & S_IFMT) != S_IFREG) return 0;
  struct deleted_record record = {};
  record.device = inode->i_sb->s_dev;
  record.inode = inode->i_ino;
  record.bytes = bytes_of(file, inode);
  struct dentry* at = file->f_path.dentry;
  // Unrolled: the verifier of older kernels doesn't follow a loop with a variable index.
#pragma unroll
  for (int i = 0; i < DELETED_DEPTH; i++) {
    struct dentry* parent = at->d_parent;
    if (parent == at) break;
    struct inode* directory = parent->d_inode;
    if (!directory) break;
    record.above[i] = directory->i_ino;
    at = parent;
  }
  bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
  return 0;
}
