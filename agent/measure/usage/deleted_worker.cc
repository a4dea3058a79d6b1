#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "measure/usage/deleted_scan.h"
#include "workers/protocol.h"
#include "workers/sandbox.h"

namespace volumeter {
namespace {

void say(const DeletedAnswer& answer) {
  const std::vector<std::byte> message = encode_answer(answer);
  (void)!::send(kWorkerSocket, message.data(), message.size(), MSG_NOSIGNAL);
}

DeletedAnswer answer_to(const std::vector<std::byte>& message, DeletedScan& scan) {
  const auto places = decode_places(message);
  if (!places) return {places.error().code, {}};
  auto bytes = scan.scan(*places);
  if (!bytes) return {bytes.error().code != 0 ? bytes.error().code : EIO, {}};
  return {0, std::move(bytes).value()};
}

}  // namespace

int deleted_worker_main() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_NAME, "volumeter-files", 0, 0, 0);
  ::close_range(kWorkerSocket + 1, ~0U, 0);
  // The program is loaded with the rights that this takes; then they are given up.
  auto loaded = make_bpf_scan();
  const bool by_bpf = loaded.ok();
  std::unique_ptr<DeletedScan> scan = loaded ? std::move(loaded).value() : make_proc_scan();
  const WorkerProfile profile = by_bpf ? WorkerProfile::kTracing : WorkerProfile::kProcess;
  if (!enter_sandbox(profile).capabilities) return 1;
  std::vector<std::byte> buffer(kMaxDeletedMessage);
  for (;;) {
    const ssize_t n = ::recv(kWorkerSocket, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    say(answer_to({buffer.begin(), buffer.begin() + n}, *scan));
  }
}

}  // namespace volumeter
