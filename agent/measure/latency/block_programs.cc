#include "measure/latency/block_programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "measure/latency/block_record.h"

// After the types that it uses.
#include "block.skel.h"

namespace volumeter {
namespace {

using Skeleton = std::unique_ptr<block_bpf, void (*)(block_bpf*)>;
using Link = std::unique_ptr<bpf_link, int (*)(bpf_link*)>;

// An errno alone says little to who has to mend it.
Error explain(const std::string& what, int code) {
  Error error = Error::from_errno(what, code);
  if (code == EPERM || code == EACCES) {
    error.message +=
        " (it needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, and a seccomp profile "
        "that lets bpf(2) through)";
  } else if (libbpf_get_error(btf__load_vmlinux_btf()) != 0) {
    error.message += " (the kernel has no type information: CONFIG_DEBUG_INFO_BTF)";
  } else {
    error.message +=
        " (this kernel lacks the tracepoint, or has it otherwise: Linux 5.12 is the "
        "oldest that is served)";
  }
  return error;
}

bool reuse(bpf_map* map, const std::vector<int>& maps, std::size_t index) {
  return index >= maps.size() || bpf_map__reuse_fd(map, maps[index]) == 0;
}

}  // namespace

Result<std::vector<int>> attach_block_program(const std::string& program,
                                              const std::vector<int>& maps,
                                              bool ignore_statistics) {
  libbpf_set_print(nullptr);  // the verifier's pages of explanation
  const Skeleton skeleton(block_bpf__open(), block_bpf__destroy);
  if (!skeleton) return explain("open the BPF programs", errno);
  const_cast<int&>(skeleton->rodata->ignore_statistics) = ignore_statistics ? 1 : 0;
  bpf_program* chosen = nullptr;
  bpf_program* other = nullptr;
  bpf_object__for_each_program(other, skeleton->obj) {
    const bool is_it = program == bpf_program__name(other);
    bpf_program__set_autoload(other, is_it);
    if (is_it) chosen = other;
  }
  if (chosen == nullptr) return Error{"no BPF program is called " + program, ENOENT};
  if (!reuse(skeleton->maps.bss, maps, 0) || !reuse(skeleton->maps.in_flight, maps, 1)) {
    return explain("use the maps of the other programs", errno);
  }
  if (const int code = block_bpf__load(skeleton.get()); code != 0) {
    return explain("load " + program, -code);
  }
  const Link link(bpf_program__attach(chosen), bpf_link__destroy);
  if (!link) return explain("attach " + program, errno);
  // Copies outlive what libbpf keeps, and closes.
  std::vector<int> fds;
  for (const int fd : {bpf_link__fd(link.get()), bpf_map__fd(skeleton->maps.bss),
                       bpf_map__fd(skeleton->maps.in_flight)}) {
    fds.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  }
  return fds;
}

}  // namespace volumeter
