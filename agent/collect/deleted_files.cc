#include "collect/deleted_files.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "measure/usage/deleted_scan.h"
#include "mounts/filesystem_kinds.h"
#include "volumeter/log.h"

namespace volumeter {
namespace {

using namespace std::chrono_literals;
constexpr auto kAfterTrouble = 10min;

// The whole filesystem, where the target is all of it; else its directory, once its inode is known.
std::optional<DeletedPlace> place_of(const Target& target, const TreeUse& tree) {
  if (is_network_filesystem(target.fstype)) return std::nullopt;  // others delete there too
  if (target.root == "/" && !target.walk) return DeletedPlace{target.device, 0, "/"};
  // On btrfs each subvolume has an inode of that number.
  if (tree.inode == 0 || target.fstype == "btrfs") return std::nullopt;
  return DeletedPlace{target.device, tree.inode, target.root};
}

}  // namespace

DeletedFiles::DeletedFiles(EventLoop& loop, DeletedFilesOptions options,
                           std::function<void()> changed)
    : loop_(loop), options_(std::move(options)), changed_(std::move(changed)) {}

DeletedFiles::~DeletedFiles() {
  if (!process_) return;
  loop_.unwatch(process_->socket.get());
  process_->child.kill();
  for (int i = 0; i < 100 && !process_->child.reap(); ++i) ::usleep(1000);
}

bool DeletedFiles::start() {
  auto started = spawn_connected(options_.exe, {kDeletedWorker});
  if (!started) return false;
  process_ = std::move(started).value();
  loop_.watch(process_->socket.get(), [this] { receive(); });
  return true;
}

void DeletedFiles::ask(const Inventory& inventory, const std::vector<TreeUse>& trees) {
  const auto now = Clock::now();
  collect_dead();
  // While one that was killed sleeps on, another would only join it.
  if (!options_.enabled || !asked_.empty() || !dying_.empty() || now < not_before_) return;
  std::vector<DeletedPlace> places;
  std::size_t size = 0;
  for (std::size_t i = 0; i < inventory.targets.size(); ++i) {
    const Target& target = inventory.targets[i];
    const auto place = place_of(target, trees[i]);
    if (!place || target.hold) continue;
    size += place->root.size() + 32;
    if (size > kMaxDeletedMessage) break;
    places.push_back(*place);
    asked_.push_back(key_of(target));
  }
  if (places.empty()) return;
  not_before_ = now + options_.interval - 1ms;
  const std::vector<std::byte> message = encode_places(places);
  if ((!process_ && !start()) ||
      ::send(process_->socket.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    return give_up(std::string("the process can't be started: ") + std::strerror(errno));
  }
  deadline_ = loop_.after(options_.deadline, [this] {
    deadline_.reset();
    give_up("no answer by the deadline");
  });
}

void DeletedFiles::receive() {
  std::vector<std::byte> buffer(kMaxDeletedMessage);
  const ssize_t n = ::recv(process_->socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return give_up("the process has ended");
  buffer.resize(static_cast<std::size_t>(n));
  const auto answer = decode_answer(buffer);
  if (!answer) return give_up(answer.error().message);
  if (answer->error != 0) {
    return give_up(std::string("it needs CAP_BPF and CAP_PERFMON, or CAP_SYS_PTRACE: ") +
                   std::strerror(answer->error));
  }
  if (deadline_) loop_.cancel(*std::exchange(deadline_, {}));
  known_.clear();
  known_at_ = Clock::now();
  const WallTime now = std::chrono::system_clock::now();
  for (std::size_t i = 0; i < std::min(asked_.size(), answer->bytes.size()); ++i) {
    if (answer->bytes[i] != kUnknownBytes) known_[asked_[i]] = {answer->bytes[i], now};
  }
  asked_.clear();
  problem_.clear();
  changed_();
}

// What is known stays for a while. The next attempt takes a fresh process.
void DeletedFiles::give_up(const std::string& why) {
  if (std::exchange(problem_, why) != why) {
    log(LogLevel::kInfo, "deleted but open files aren't counted", {{"reason", why}});
  }
  if (deadline_) loop_.cancel(*std::exchange(deadline_, {}));
  asked_.clear();
  not_before_ = Clock::now() + std::max<EventLoop::Duration>(options_.interval, kAfterTrouble);
  if (!process_) return;
  loop_.unwatch(process_->socket.get());
  process_->child.kill();
  dying_.push_back(std::move(process_->child));
  process_.reset();
}

void DeletedFiles::collect_dead() {
  std::erase_if(dying_, [](const Child& child) { return child.reap(); });
}

std::vector<std::optional<DeletedOpen>> DeletedFiles::open_files(const Inventory& inventory) {
  std::vector<std::optional<DeletedOpen>> all(inventory.targets.size());
  if (!known_.empty() && Clock::now() - known_at_ > options_.stale_after) known_.clear();
  if (known_.empty()) return all;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto it = known_.find(key_of(inventory.targets[i]));
    if (it != known_.end()) all[i] = it->second;
  }
  return all;
}

}  // namespace volumeter
