// Times the calls that applications wait for: syncs, and on request reads and writes. A file's
// volume is told by its superblock and the root of the mount that it was opened through, which is
// the same directory in every mount namespace.
//
// Each call by a pair of programs, in up to two ways. Where the kernel has fentry: on functions
// that it calls through a table, because others may have been compiled into their callers, as
// Debian's vfs_fsync_range() is for fdatasync. Else on tracepoints, which cost every system call a
// little. Kernel: fs/sync.c, fs/read_write.c, fs/aio.c, mm/msync.c, io_uring/sync.c,
// io_uring/io_uring.c.
//
// Only the fields that are read are declared; libbpf finds them in the running kernel (CO-RE).
#include "call_account.bpf.h"
// After linux/bpf.h.
#include <bpf/bpf_tracing.h>

struct vm_area_struct {
  struct file* vm_file;
} CO_RE;
struct fdtable {
  unsigned int max_fds;
  struct file** fd;
} CO_RE;
struct files_struct {
  struct fdtable* fdt;
} CO_RE;
struct task_struct {
  struct files_struct* files;
} CO_RE;
struct work_struct {
} CO_RE;
struct fsync_iocb {
  struct file* file;
  struct work_struct work;
} CO_RE;
struct io_cqe {
  int fd;
} CO_RE;
struct io_kiocb {
  struct file* file;
  struct io_cqe cqe;
  __u8 opcode;
  unsigned int flags;
} CO_RE;

// A system call's arguments, as its wrapper was given them.
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long di;
  unsigned long si;
  unsigned long dx;
} CO_RE;
#define FIRST(regs) BPF_CORE_READ(regs, di)
#define THIRD(regs) BPF_CORE_READ(regs, dx)
#define O_DIRECT 040000
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  __u64 regs[31];
} CO_RE;
#define FIRST(regs) BPF_CORE_READ(regs, regs[0])
#define THIRD(regs) BPF_CORE_READ(regs, regs[2])
#define O_DIRECT 0200000
#endif

#define O_DSYNC 010000  // a part of O_SYNC, too
#define MS_SYNC 4
// As IOSQE_FIXED_FILE and IOSQE_CQE_SKIP_SUCCESS (include/uapi/linux/io_uring.h).
#define REQ_F_FIXED_FILE 1
#define REQ_F_CQE_SKIP 64

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Set before loading: time reads and writes of files that go through the page cache, too.
const volatile int every_file = 0;

static __noinline int enter_thread(struct file* file, __u32 operation) {
  if (!file) return 0;
  if (operation != CALL_SYNC && !every_file) {
    if (!(BPF_CORE_READ(file, f_flags) & (O_DIRECT | O_DSYNC))) return 0;
  }
  const struct call_key key = {.who = bpf_get_current_pid_tgid()};
  return begin(&key, file, operation);
}

static __noinline int exit_thread(void* context) {
  if (!context) return 0;
  const struct call_key key = {.who = bpf_get_current_pid_tgid()};
  return end(&key, 0);
}

static __noinline struct file* file_of(__u32 fd) {
  struct task_struct* task = (void*)bpf_get_current_task();
  struct fdtable* table = BPF_CORE_READ(task, files, fdt);
  if (fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file** files = BPF_CORE_READ(table, fd);
  struct file* file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), files + fd);
  return file;
}

static long found_vma(struct task_struct* task, struct vm_area_struct* vma, void* result) {
  *(struct file**)result = vma->vm_file;
  return 0;
}

static __always_inline int enter_msync(__u64 address, __u64 flags) {
  if (!(flags & MS_SYNC)) return 0;
  struct file* file = 0;
  bpf_find_vma(bpf_get_current_task_btf(), address, found_vma, &file, 0);
  return enter_thread(file, CALL_SYNC);
}

struct syscall_enter {  // events/syscalls/sys_enter_*/format
  __u64 common;
  long number;
  __u64 arguments[6];
};

// Of the function, whose name is the architecture's; and of the tracepoint.
#define EXITS(name)                                                        \
  SEC("fexit")                                                             \
  int name##_function_exit(void* context) { return exit_thread(context); } \
  SEC("tracepoint/syscalls/sys_exit_" #name)                               \
  int name##_tracepoint_exit(void* context) { return exit_thread(context); }

#define SYSTEM_CALL(name, operation)                                       \
  SEC("fentry")                                                            \
  int BPF_PROG(name##_function_enter, struct pt_regs* regs) {              \
    return enter_thread(file_of((__u32)FIRST(regs)), operation);           \
  }                                                                        \
  SEC("tracepoint/syscalls/sys_enter_" #name)                              \
  int name##_tracepoint_enter(struct syscall_enter* context) {             \
    return enter_thread(file_of((__u32)context->arguments[0]), operation); \
  }                                                                        \
  EXITS(name)

SYSTEM_CALL(fsync, CALL_SYNC)
SYSTEM_CALL(fdatasync, CALL_SYNC)
SYSTEM_CALL(sync_file_range, CALL_SYNC)
SYSTEM_CALL(read, CALL_READ)
SYSTEM_CALL(pread64, CALL_READ)
SYSTEM_CALL(readv, CALL_READ)
SYSTEM_CALL(preadv, CALL_READ)
SYSTEM_CALL(preadv2, CALL_READ)
SYSTEM_CALL(write, CALL_WRITE)
SYSTEM_CALL(pwrite64, CALL_WRITE)
SYSTEM_CALL(writev, CALL_WRITE)
SYSTEM_CALL(pwritev, CALL_WRITE)
SYSTEM_CALL(pwritev2, CALL_WRITE)

SEC("fentry")
int BPF_PROG(msync_function_enter, struct pt_regs* regs) {
  return enter_msync(FIRST(regs), THIRD(regs));
}
SEC("tracepoint/syscalls/sys_enter_msync")
int msync_tracepoint_enter(struct syscall_enter* context) {
  return enter_msync(context->arguments[0], context->arguments[2]);
}
EXITS(msync)

// --- libaio: a kernel thread syncs for the application.

SEC("fentry/aio_fsync_work")
int BPF_PROG(libaio_sync_function_enter, struct work_struct* work) {
  struct fsync_iocb* request =
      (void*)work -
      __builtin_preserve_field_info(((struct fsync_iocb*)0)->work, BPF_FIELD_BYTE_OFFSET);
  return enter_thread(BPF_CORE_READ(request, file), CALL_SYNC);
}
SEC("fexit/aio_fsync_work")
int libaio_sync_function_exit(void* context) { return exit_thread(context); }

// --- io_uring: on tracepoints the file is known at the end only, but for those that aren't
// registered.

// IO_URING_F_NONBLOCK is the sign bit: asked so, they only say that they would block.
static __always_inline int enter_request(struct io_kiocb* request, int flags) {
  return flags < 0 ? 0 : enter_thread(BPF_CORE_READ(request, file), CALL_SYNC);
}

SEC("fentry/io_fsync")
int BPF_PROG(io_uring_fsync_function_enter, struct io_kiocb* request, int flags) {
  return enter_request(request, flags);
}
SEC("fexit/io_fsync")
int io_uring_fsync_function_exit(void* context) { return exit_thread(context); }

SEC("fentry/io_sync_file_range")
int BPF_PROG(io_uring_range_function_enter, struct io_kiocb* request, int flags) {
  return enter_request(request, flags);
}
SEC("fexit/io_sync_file_range")
int io_uring_range_function_exit(void* context) { return exit_thread(context); }

enum { RING_FSYNC, RING_RANGE, RING_READ_WRITE, RING_OTHER };

static __always_inline int group_of(__u32 opcode, __u32* operation) {
  switch (opcode) {  // include/uapi/linux/io_uring.h, enum io_uring_op
    case 3:          // IORING_OP_FSYNC
      *operation = CALL_SYNC;
      return RING_FSYNC;
    case 8:  // IORING_OP_SYNC_FILE_RANGE
      *operation = CALL_SYNC;
      return RING_RANGE;
    case 1:   // IORING_OP_READV
    case 4:   // IORING_OP_READ_FIXED
    case 22:  // IORING_OP_READ
      *operation = CALL_READ;
      return RING_READ_WRITE;
    case 2:   // IORING_OP_WRITEV
    case 5:   // IORING_OP_WRITE_FIXED
    case 23:  // IORING_OP_WRITE
      *operation = CALL_WRITE;
      return RING_READ_WRITE;
  }
  return RING_OTHER;
}

static __always_inline int submitted(struct io_kiocb* request, int group) {
  __u32 operation = CALL_SYNC;
  if (group_of(BPF_CORE_READ(request, opcode), &operation) != group) return 0;
  const __u32 flags = BPF_CORE_READ(request, flags);
  if (flags & REQ_F_CQE_SKIP) return 0;  // its end isn't told
  struct file* file = 0;
  if (!(flags & REQ_F_FIXED_FILE)) {
    file = file_of((__u32)BPF_CORE_READ(request, cqe.fd));
    if (!file) return 0;
  }
  const struct call_key key = {.who = (__u64)request};
  return begin(&key, file, operation);
}

static __always_inline int completed(struct io_kiocb* request, int group) {
  __u32 operation = CALL_SYNC;
  if (group_of(BPF_CORE_READ(request, opcode), &operation) != group) return 0;
  const struct call_key key = {.who = (__u64)request};
  return end(&key, BPF_CORE_READ(request, file));
}

// io_uring_submit_req was called io_uring_submit_sqe until Linux 6.3.
#define RING(name, group)                                                                     \
  SEC("tp_btf/io_uring_submit_req")                                                           \
  int name##_tracepoint_enter(__u64* context) { return submitted((void*)context[0], group); } \
  SEC("tp_btf/io_uring_complete")                                                             \
  int name##_tracepoint_exit(__u64* context) { return completed((void*)context[1], group); }  \
  SEC("tp_btf/io_uring_submit_sqe")                                                           \
  int name##_older_enter(__u64* context) { return submitted((void*)context[0], group); }      \
  SEC("tp_btf/io_uring_complete")                                                             \
  int name##_older_exit(__u64* context) { return completed((void*)context[1], group); }

RING(io_uring_fsync, RING_FSYNC)
RING(io_uring_range, RING_RANGE)
RING(io_uring_rw, RING_READ_WRITE)
