#include "demo/faults.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace volumeter::test {
namespace {

constexpr double kFull = 97;  // percent
constexpr int kSlowMilliseconds = 250;

std::string fill_file(const FaultTarget& target) { return target.where + "/fault-full"; }

std::string sysfs_of(const FaultTarget& target) {
  return "/sys/fs/ext4/" + std::filesystem::path(target.device).filename().string();
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 512> buffer{};
  for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

const std::vector<Faults::Kind>& Faults::kinds() {
  static const std::vector<Kind> kAll = {
      {"full", "data-orders-0", &Faults::full, &Faults::heal_full},
      {"hang", "data-orders-0", &Faults::hang, &Faults::heal_hang},
      {"slow", "data-orders-0", &Faults::slow, &Faults::heal_slow},
      {"read-only", "data-orders-2", &Faults::read_only, &Faults::heal_read_only},
      {"unmount", "data-orders-2", &Faults::unmount, &Faults::heal_unmount},
      {"expand", "data-orders-1", &Faults::expand, &Faults::heal_expand}};
  return kAll;
}

std::string Faults::usage() const {
  std::string text = "allowed: heal, rollout";
  for (const Kind& kind : kinds()) text += std::string(", ") + kind.name;
  text += "; and a claim of:";
  for (const auto& [name, target] : targets_) text += " " + name;
  return text + "\n";
}

std::string Faults::obey(const std::string& command, bool& ok) {
  std::istringstream words(command);
  std::string name;
  std::string claim;
  std::string how;
  words >> name >> claim >> how;
  ok = true;
  if (name == "heal") return heal();
  if (name == "rollout") {
    rollout_ = true;
    return "the agent is being replaced\n";
  }
  const auto kind = std::find_if(kinds().begin(), kinds().end(),
                                 [&](const Kind& one) { return name == one.name; });
  ok = false;
  if (kind == kinds().end()) return "\"" + name + "\" is no fault; " + usage();
  if (claim.empty()) claim = kind->claim;
  const auto target = targets_.find(claim);
  if (target == targets_.end()) return "\"" + claim + "\" is no claim to try it on; " + usage();
  const auto same = [&](const auto& one) { return one.second == claim && one.first == &*kind; };
  const bool made = std::any_of(made_.begin(), made_.end(), same);
  if (made && name != "full") return "that is so already: heal it first\n";
  const std::string done = (this->*kind->make)(target->second, how);
  if (done.empty()) return claim + " can't have that fault\n";
  ok = true;
  if (!made) made_.emplace_back(&*kind, claim);
  return claim + ": " + done + "\n";
}

std::string Faults::heal() {
  std::string text;
  for (; !made_.empty(); made_.pop_back()) {
    const auto& [kind, claim] = made_.back();
    (this->*kind->heal)(targets_.at(claim));
    text += claim + ": no longer " + kind->name + "\n";
  }
  return text.empty() ? "nothing to heal\n" : text;
}

std::string Faults::full(FaultTarget& target, const std::string& how) {
  const double percent = how.empty() ? kFull : std::atof(how.c_str());
  struct statvfs st {};
  if (::statvfs(target.where.c_str(), &st) != 0) return {};
  const auto used = static_cast<double>(st.f_blocks - st.f_bfree);
  const auto usable = used + static_cast<double>(st.f_bavail);
  const double bytes = (percent / 100 * usable - used) * static_cast<double>(st.f_frsize);
  const UniqueFd file(::open(fill_file(target).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const off_t end = file ? ::lseek(file.get(), 0, SEEK_END) : -1;
  if (bytes <= 0 || bytes > usable * static_cast<double>(st.f_frsize) || end < 0 ||
      ::fallocate(file.get(), 0, end, static_cast<off_t>(bytes)) != 0) {
    return {};
  }
  return "filled to " + (how.empty() ? std::string("97") : how) + " %";
}

void Faults::heal_full(FaultTarget& target) { ::unlink(fill_file(target).c_str()); }

std::string Faults::hang(FaultTarget& target, const std::string&) {
  if (target.disk == nullptr) return {};
  target.disk->hold("read write");
  return "its disk answers neither reads nor writes";
}

void Faults::heal_hang(FaultTarget& target) { target.disk->release(); }

std::string Faults::slow(FaultTarget& target, const std::string&) {
  if (target.disk == nullptr) return {};
  target.disk->delay(kSlowMilliseconds);
  return "its disk takes 250 ms longer for each read and write";
}

void Faults::heal_slow(FaultTarget& target) { target.disk->delay(0); }

// As it happens: ext4 finds an error, and lets nobody write from then on.
std::string Faults::read_only(FaultTarget& target, const std::string&) {
  const std::string trigger = sysfs_of(target) + "/trigger_fs_error";
  if (target.fstype == "ext4" && ::access(trigger.c_str(), W_OK) == 0) {
    Node::mount("", target.where, "", MS_REMOUNT, "errors=remount-ro");
    std::ofstream(trigger) << "rehearsal";
    return "its filesystem found an error and lets nobody write";
  }
  Node::mount("", target.where, "", MS_REMOUNT | MS_RDONLY);
  return "its filesystem was made read-only";
}

void Faults::heal_read_only(FaultTarget& target) {
  unmount(target, "");
  if (target.fstype == "ext4") run({"e2fsck", "-fy", target.image});
  heal_unmount(target);
}

std::string Faults::unmount(FaultTarget& target, const std::string&) {
  if (::umount2(target.where.c_str(), MNT_DETACH) != 0) return {};
  std::ofstream(target.where + "/written-to-the-nodes-disk") << std::string(64 << 10, 'x');
  return "unmounted under its pod, which has written 64 KiB since";
}

void Faults::heal_unmount(FaultTarget& target) {
  ::unlink((target.where + "/written-to-the-nodes-disk").c_str());
  target.device = node_.mount_image(target.image, target.fstype, target.where);
}

std::string Faults::expand(FaultTarget& target, const std::string&) {
  struct stat st {};
  if (!target.resize || ::stat(target.image.c_str(), &st) != 0) return {};
  if (::truncate(target.image.c_str(), st.st_size * 2) != 0) return {};
  if (run({"losetup", "-c", target.device}).code != 0) return {};
  target.resize(std::to_string(st.st_size * 2));
  return "twice the size was asked for; its device has grown, its filesystem waits";
}

void Faults::heal_expand(FaultTarget& target) { run({"xfs_growfs", target.where}); }

FaultServer::FaultServer(const std::string& socket, Faults& faults)
    : path_(socket), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  ::unlink(path_.c_str());
  const sockaddr_un address = address_of(path_);
  const mode_t mask = ::umask(0177);
  const bool bound =
      ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::umask(mask);
  if (!bound || ::listen(socket_.get(), 4) != 0) {
    std::fprintf(stderr, "faults can't be made: %s: %s\n", path_.c_str(), std::strerror(errno));
    return;
  }
  thread_ = std::jthread([this, &faults](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd ready{socket_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 200) <= 0) continue;
      const UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      bool ok = false;
      const std::string answer = faults.obey(read_all(client.get()), ok);
      const std::string reply = (ok ? "0" : "2") + answer;
      (void)!::write(client.get(), reply.data(), reply.size());
    }
  });
}

FaultServer::~FaultServer() { ::unlink(path_.c_str()); }

int send_fault(const std::string& socket, const std::string& command) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(socket);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    std::fprintf(stderr, "no demonstration node at %s (%s): start one with `sudo make run`\n",
                 socket.c_str(), std::strerror(errno));
    return 1;
  }
  (void)!::write(fd.get(), command.data(), command.size());
  ::shutdown(fd.get(), SHUT_WR);
  const std::string answer = read_all(fd.get());
  if (answer.empty()) return 1;
  const bool ok = answer.front() == '0';
  std::fputs(answer.c_str() + 1, ok ? stdout : stderr);
  return ok ? 0 : 2;
}

}  // namespace volumeter::test
