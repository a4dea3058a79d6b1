#include "measure/latency/programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "measure/latency/call_record.h"

// After the types that it uses.
#include "block.skel.h"
#include "call.skel.h"

namespace volumeter {
namespace {

using Link = std::unique_ptr<bpf_link, int (*)(bpf_link*)>;

// An errno alone says little to who has to mend it.
Error explain(const std::string& what, int code) {
  Error error = Error::from_errno(what, code);
  if (code == EPERM || code == EACCES) {
    error.message +=
        " (it needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, and a seccomp profile "
        "that lets bpf(2) through; and functions are traced only where the kernel has fentry)";
  } else if (libbpf_get_error(btf__load_vmlinux_btf()) != 0) {
    error.message += " (the kernel has no type information: CONFIG_DEBUG_INFO_BTF)";
  } else {
    error.message +=
        " (this kernel lacks what it is attached to, or has it otherwise: Linux 5.12 is the "
        "oldest that is served; or it is locked down, /sys/kernel/security/lockdown says)";
  }
  return error;
}

// On whose call the pair of programs for `call` is to run; empty: it says so itself.
std::string function_of(const std::string& call) {
#if defined(__x86_64__)
  constexpr const char* kPrefix = "__x64_sys_";
#elif defined(__aarch64__)
  constexpr const char* kPrefix = "__arm64_sys_";
#else
#error "add the prefix of this architecture's system calls"
#endif
  return call.starts_with("io_uring_") || call.starts_with("libaio_") ? "" : kPrefix + call;
}

class Object {
 public:
  explicit Object(bpf_object* object) : object_(object) {}

  // Loads only `programs`, over `maps`; attaches them in that order.
  Result<std::vector<int>> attach(const std::string& name, const std::vector<std::string>& programs,
                                  const std::vector<int>& maps);

 private:
  [[nodiscard]] std::vector<bpf_map*> shared_maps() const;

  bpf_object* object_;
};

// In the order that all processes hand them on.
std::vector<bpf_map*> Object::shared_maps() const {
  std::vector<bpf_map*> found(kLatencyMaps, nullptr);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_) {
    const std::string name = bpf_map__name(map);
    if (name.ends_with(".bss")) found[0] = map;
    if (name == "in_flight") found[1] = map;
    if (name == "under_way") found[2] = map;
  }
  return found;
}

Result<std::vector<int>> Object::attach(const std::string& name,
                                        const std::vector<std::string>& programs,
                                        const std::vector<int>& maps) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    bpf_program__set_autoload(program, std::find(programs.begin(), programs.end(),
                                                 bpf_program__name(program)) != programs.end());
  }
  const std::vector<bpf_map*> shared = shared_maps();
  for (std::size_t i = 0; i < std::min(maps.size(), shared.size()); ++i) {
    if (bpf_map__reuse_fd(shared[i], maps[i]) != 0) {
      return explain("use the maps of the other programs", errno);
    }
  }
  if (const int code = bpf_object__load(object_); code != 0) return explain("load " + name, -code);
  std::vector<Link> links;
  for (const std::string& one : programs) {
    program = bpf_object__find_program_by_name(object_, one.c_str());
    links.emplace_back(bpf_program__attach(program), bpf_link__destroy);
    if (!links.back()) return explain("attach " + one, errno);
  }
  // Copies outlive what libbpf keeps, and closes.
  std::vector<int> fds;
  const auto keep = [&](int fd) { fds.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); };
  for (const Link& link : links) keep(bpf_link__fd(link.get()));
  for (bpf_map* map : shared) keep(bpf_map__fd(map));
  return fds;
}

Result<std::vector<int>> attach_call(const std::string& call, const std::string& way,
                                     const std::vector<int>& maps) {
  const std::unique_ptr<call_bpf, void (*)(call_bpf*)> skeleton(call_bpf__open(),
                                                                call_bpf__destroy);
  if (!skeleton) return explain("open the BPF programs", errno);
  const bool functions = way == "_function";
  const_cast<int&>(skeleton->rodata->every_file) = functions ? 1 : 0;
  // The end before the beginning: else the first ones' would be missed.
  const std::vector<std::string> pair = {call + way + "_exit", call + way + "_enter"};
  for (const std::string& name : pair) {
    bpf_program* program = bpf_object__find_program_by_name(skeleton->obj, name.c_str());
    if (program == nullptr) return Error{"no BPF program is called " + name, ENOENT};
    const std::string target = functions ? function_of(call) : "";
    if (target.empty()) continue;
    if (const int code = bpf_program__set_attach_target(program, 0, target.c_str()); code != 0) {
      return explain("find " + target, -code);
    }
  }
  return Object(skeleton->obj).attach(call, pair, maps);
}

}  // namespace

const std::vector<std::string>& sync_programs() {
  static const std::vector<std::string> all = {
      "fsync",          "fdatasync",      "msync",      "sync_file_range",
      "io_uring_fsync", "io_uring_range", "libaio_sync"};
  return all;
}

const std::vector<std::string>& read_write_programs() {
  static const std::vector<std::string> all = {"read",    "pread64",  "readv",      "preadv",
                                               "preadv2", "write",    "pwrite64",   "writev",
                                               "pwritev", "pwritev2", "io_uring_rw"};
  return all;
}

Result<std::vector<int>> attach_latency_program(const std::string& program,
                                                const std::vector<int>& maps,
                                                bool ignore_statistics) {
  libbpf_set_print(nullptr);  // the verifier's pages of explanation
  const std::unique_ptr<block_bpf, void (*)(block_bpf*)> block(block_bpf__open(),
                                                               block_bpf__destroy);
  if (!block) return explain("open the BPF programs", errno);
  if (bpf_object__find_program_by_name(block->obj, program.c_str()) != nullptr) {
    const_cast<int&>(block->rodata->ignore_statistics) = ignore_statistics ? 1 : 0;
    return Object(block->obj).attach(program, {program}, maps);
  }
  Result<std::vector<int>> result = Error{"no BPF program is called " + program, ENOENT};
  for (const std::string way : {"_function", "_tracepoint", "_older"}) {
    auto attached = attach_call(program, way, maps);
    // Why the first way is closed says more than why the others are.
    if (attached || result.error().code == ENOENT) result = std::move(attached);
    if (result) break;
  }
  if (!result && ::access("/sys/kernel/tracing/events", F_OK) != 0) {
    // First: what is long is cut on the way to the daemon.
    result = Error{"tracefs isn't mounted on /sys/kernel/tracing, and without tracepoints: " +
                       result.error().message,
                   result.error().code};
  }
  return result;
}

}  // namespace volumeter
