#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "host/unique_fd.h"
#include "measure/usage/deleted_record.h"
#include "measure/usage/deleted_scan.h"
#include "workers/fd_message.h"

// After the types that it uses.
#include "deleted.skel.h"

namespace volumeter {
namespace {

std::uint32_t offset_of(const btf* types, const btf_type* type, const std::string& member) {
  const btf_member* members = btf_members(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    if (member == btf__name_by_offset(types, members[i].name_off)) {
      return btf_member_bit_offset(type, static_cast<std::uint32_t>(i)) / 8;
    }
  }
  return 0;
}

// From the kernel's type information, or its module's, which anybody may read.
xfs_offsets find_xfs() {
  xfs_offsets found{};
  btf* kernel = btf__load_vmlinux_btf();
  if (libbpf_get_error(kernel) != 0) return found;
  btf* types = kernel;
  int id = btf__find_by_name_kind(types, "xfs_inode", BTF_KIND_STRUCT);
  if (id < 0) {
    types = btf__load_module_btf("xfs", kernel);
    if (libbpf_get_error(types) != 0) return found;  // no xfs here
    id = btf__find_by_name_kind(types, "xfs_inode", BTF_KIND_STRUCT);
  }
  if (id < 0) return found;
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
  const xfs_offsets offsets = {offset_of(types, type, "i_vnode"),
                               offset_of(types, type, "i_nblocks"),
                               offset_of(types, type, "i_delayed_blks")};
  if (offsets.inode != 0 && offsets.blocks != 0 && offsets.delayed != 0) found = offsets;
  return found;  // the child that calls this ends: nothing is freed
}

deleted_bpf* load() {
  deleted_bpf* skeleton = deleted_bpf__open();
  if (skeleton == nullptr) return nullptr;
  const xfs_offsets offsets = find_xfs();
  std::memcpy(const_cast<xfs_offsets*>(&skeleton->rodata->xfs), &offsets, sizeof offsets);
  return deleted_bpf__load(skeleton) == 0 ? skeleton : nullptr;
}

// In the child: loads the program and sends the link that keeps it. libbpf isn't asked for anything
// afterwards: it reads the kernel's type information, and takes 20 MiB.
[[noreturn]] void load_and_send(int socket) {
  libbpf_set_print(nullptr);  // the verifier's pages of explanation
  deleted_bpf* skeleton = load();
  const bpf_link* link = skeleton == nullptr
                             ? nullptr
                             : bpf_program__attach_iter(skeleton->progs.deleted_files, nullptr);
  Result<std::vector<int>> answer = std::vector<int>();
  if (link != nullptr) {
    answer->push_back(bpf_link__fd(link));
  } else {
    answer = Error::from_errno("load the BPF program", errno != 0 ? errno : EINVAL);
  }
  const bool sent = send_fds(socket, answer);
  ::_exit(sent ? 0 : 1);
}

class BpfScan final : public DeletedScan {
 public:
  explicit BpfScan(UniqueFd link) : link_(std::move(link)) {}

  Result<std::vector<std::uint64_t>> scan(const std::vector<DeletedPlace>& places) override {
    std::multimap<Key, std::size_t> wanted;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const DeviceNumber device = places[i].device;
      wanted.emplace(Key{std::uint64_t{device.major} << 20U | device.minor, places[i].inode}, i);
    }
    bpf_attr attributes{};
    attributes.iter_create.link_fd = static_cast<std::uint32_t>(link_.get());
    const UniqueFd files(
        static_cast<int>(::syscall(SYS_bpf, BPF_ITER_CREATE, &attributes, sizeof attributes)));
    if (!files) return Error::from_errno("make the BPF iterator", errno);
    std::vector<std::uint64_t> bytes(places.size());
    std::set<Key> seen;
    std::array<deleted_record, 64> records{};
    for (;;) {
      const ssize_t n = ::read(files.get(), records.data(), sizeof records);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) return Error::from_errno("read of the iterator", errno);
      if (n == 0) return bytes;
      for (std::size_t i = 0; i < static_cast<std::size_t>(n) / sizeof(deleted_record); ++i) {
        if (seen.size() == kMostDeletedFiles) return bytes;
        if (seen.emplace(records[i].device, records[i].inode).second) {
          count(records[i], wanted, bytes);
        }
      }
    }
  }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

  static void count(const deleted_record& record, const std::multimap<Key, std::size_t>& wanted,
                    std::vector<std::uint64_t>& bytes) {
    const auto add = [&](std::uint64_t inode) {
      const auto [first, last] = wanted.equal_range({record.device, inode});
      for (auto it = first; it != last; ++it) {
        std::uint64_t& sum = bytes[it->second];
        const bool known = sum != kUnknownBytes && record.bytes != DELETED_UNKNOWN;
        sum = known ? sum + record.bytes : kUnknownBytes;
      }
    };
    add(0);
    for (const std::uint64_t directory : record.above) {
      if (directory != 0) add(directory);
    }
  }

  UniqueFd link_;
};

}  // namespace

Result<std::unique_ptr<DeletedScan>> make_bpf_scan() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error::from_errno("socketpair", errno);
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) load_and_send(theirs.get());
  theirs.reset();
  if (child < 0) return Error::from_errno("fork", errno);
  auto link = receive_fds(ours.get());
  ::waitpid(child, nullptr, 0);
  if (!link) return link.error();
  if (link->size() != 1) return Error::from_errno("load the BPF program", EBADMSG);
  return std::unique_ptr<DeletedScan>(new BpfScan(std::move(link->front())));
}

}  // namespace volumeter
